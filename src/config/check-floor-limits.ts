import type { LimitSpec, Rate } from '../limits/limit-spec.ts'
import { rateText } from '../lib/rate.ts'
import { durationText } from '../lib/duration.ts'
import { stableJson } from '../lib/stable-json.ts'
import type { CheckContext } from './check-context.ts'
import { costOf, limitSpec } from './check-limits.ts'
import type { CheckedLimit } from './check-limits.ts'
import { namesOf } from './check-context.ts'
import type { Floor, FloorJudge } from './floor-judge.ts'
import type { RouteModel } from './model.ts'

/** One way in which a definition is looser than the floor's: the key, and what stands there. */
interface Looser {
  readonly key: string
  readonly what: string
  readonly asked: string
}

/** The definitions of the floor's limits: each exists, and none is looser. */
export function checkFloorLimits(
  context: CheckContext,
  judge: FloorJudge,
  { limits: floors = {} }: Floor,
  limits: ReadonlyMap<string, CheckedLimit>,
): void {
  const defined = namesOf(context, ['limits'])
  for (const [name, floor] of Object.entries(floors)) {
    const own = limits.get(name)
    const remedy = 'give it the same definition, or a stricter one'
    if (own === undefined) {
      // One that is defined and faulty has its finding already.
      if (!defined.includes(name))
        judge.loosened(['limits'], ['limits', name], `the limit "${name}" is not defined`, 'asks for it', remedy)
      continue
    }
    const least = costOf(floor.cost ?? 1)
    const found = looserThan(own.spec, limitSpec(name, floor))
    if (own.cost < least.cost) found.push({ key: 'cost', what: `a request takes ${own.cost}`, asked: `takes ${least.cost}` })
    if (own.settle !== least.settle)
      found.push({ key: 'cost', what: 'the real cost is told otherwise', asked: 'says where it is told' })
    for (const { key, what, asked } of found) judge.loosened(['limits', name, key], ['limits', name, key], what, asked, remedy)
  }
}

/** The uses of the floor's limits: on every route, at no lower cost, and not in shadow. */
export function checkFloorUses(
  judge: FloorJudge,
  { limits: floors = {} }: Floor,
  route: RouteModel,
  limits: ReadonlyMap<string, CheckedLimit>,
): void {
  for (const [name, floor] of Object.entries(floors)) {
    const own = limits.get(name)
    const of = ['limits', name]
    const place = judge.placeOfUse(route, name)
    const use = route.limits.find((other) => other.use === name)
    if (own === undefined) continue
    if (use === undefined || place === undefined) {
      const remedy = `add "${name}" to the route's limits`
      judge.loosened(
        judge.placeOf(route, 'limits', 'only'),
        of,
        `requests are not charged to "${name}"`,
        'asks for it on every route',
        remedy,
      )
      continue
    }
    if (use.shadow && !own.spec.shadow)
      judge.loosened([...place, 'shadow'], of, 'nobody is refused (shadow)', 'counts in earnest', 'leave shadow out')
    const least = costOf(floor.cost ?? 1)
    if (use.cost < least.cost)
      judge.loosened(
        [...place, 'cost'],
        of,
        `a request takes ${use.cost}`,
        `takes ${least.cost}`,
        `write a cost of ${least.cost} or more`,
      )
    else if (use.settle !== least.settle && own.settle === least.settle)
      judge.loosened([...place, 'cost'], of, 'the real cost is told otherwise', 'says where it is told', 'leave settle as it is')
  }
}

const failureOrder = ['closed', 'local', 'open']

function looserThan(own: LimitSpec, floor: LimitSpec): Looser[] {
  if (own.algorithm !== floor.algorithm)
    return [{ key: 'algorithm', what: `it is a ${own.algorithm}`, asked: `is a ${floor.algorithm}: the two cannot be compared` }]
  const found: Looser[] = []
  const more = (key: string, has: number, most: number): void => {
    if (has > most) found.push({ key, what: `it allows ${has}`, asked: `allows ${most}` })
  }
  const faster = (key: string, has: Rate, most: Rate): void => {
    if (has.units / has.periodMs > most.units / most.periodMs)
      found.push({ key, what: `it allows ${rateText(has)}`, asked: `allows ${rateText(most)}` })
  }
  const other = (key: string, has: unknown, wanted: unknown): void => {
    if (stableJson(has ?? null) !== stableJson(wanted ?? null))
      found.push({ key, what: 'it is another one', asked: `has to stay as it is` })
  }
  if ('capacity' in own && 'capacity' in floor) more('capacity', own.capacity, floor.capacity)
  if ('limit' in own && 'limit' in floor) more('limit', own.limit, floor.limit)
  if ('refill' in own && 'refill' in floor) faster('refill', own.refill, floor.refill)
  if ('leak' in own && 'leak' in floor) {
    faster('leak', own.leak, floor.leak)
    other('mode', own.mode, floor.mode)
  }
  if ('windowMs' in own && 'windowMs' in floor) {
    if (own.windowMs < floor.windowMs)
      found.push({
        key: 'window',
        what: `a window lasts ${durationText(own.windowMs)}`,
        asked: `lasts ${durationText(floor.windowMs)}`,
      })
    other('aligned', own.aligned ?? false, floor.aligned ?? false)
  }
  if ('period' in own && 'period' in floor) other('period', own.period, floor.period)
  other('per', own.per, floor.per)
  if (own.missing !== floor.missing && own.missing !== 'refuse') other('missing', own.missing, floor.missing)
  if (own.shadow && !floor.shadow) found.push({ key: 'shadow', what: 'nobody is refused (shadow)', asked: 'counts in earnest' })
  if (own.tolerance > floor.tolerance)
    found.push({ key: 'tolerance', what: `a fleet may overshoot by ${own.tolerance}`, asked: `allows ${floor.tolerance}` })
  if (failureOrder.indexOf(own.onStoreFailure) > failureOrder.indexOf(floor.onStoreFailure))
    found.push({
      key: 'onStoreFailure',
      what: `without the store it is ${own.onStoreFailure}`,
      asked: `is ${floor.onStoreFailure}`,
    })
  return found
}
