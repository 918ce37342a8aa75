import type { HeaderEdits, HeadersOptions } from '../policies/headers.ts'
import { protectiveNames, revealingNames } from '../policies/secure-headers.ts'
import type { Floor, FloorJudge } from './floor-judge.ts'
import { optionsOf } from './floor-judge.ts'
import type { RouteModel } from './model.ts'

type Part = 'request' | 'response'
type HeaderFloor = NonNullable<NonNullable<Floor['headers']>[Part]>

const noEdits: HeaderEdits = { set: [], add: [], remove: [] }

/** Headers that a floor sets, takes out or protects, and that a route leaves otherwise. */
export function checkFloorHeaders(judge: FloorJudge, { headers: floor }: Floor, route: RouteModel): void {
  if (floor === undefined) return
  const own = optionsOf(route, 'headers') as HeadersOptions | undefined
  for (const part of ['request', 'response'] as const) checkPart(judge, part, floor[part] ?? {}, own?.[part] ?? noEdits, route)
  if (floor.secure !== true) return
  if (own?.secure !== true)
    judge.loosened(
      judge.placeOf(route, 'headers', 'secure'),
      ['headers', 'secure'],
      'answers have no protective headers',
      'asks for them',
      "write headers: 'secure', or secure: true",
    )
  const stated = new Set([...Object.keys(floor.response?.set ?? {}), ...(floor.response?.remove ?? [])])
  const guarded = new Set(protectiveNames.filter((name) => !stated.has(name)))
  // `secure` itself takes these out.
  const revealing = new Set(revealingNames.filter((name) => !stated.has(name)))
  const edits = own?.response ?? noEdits
  const touch = (key: keyof HeaderEdits, name: string): void =>
    judge.loosened(
      judge.placeOf(route, 'headers', 'response', key),
      ['headers', 'secure'],
      `${key === 'remove' ? 'it takes out' : key === 'set' ? 'it sets' : 'it adds'} "${name}"`,
      'keeps that header as "secure" has it',
      'leave it as it is, or have it changed in floor.headers.response',
    )
  for (const name of edits.remove) if (guarded.has(name)) touch('remove', name)
  for (const key of ['set', 'add'] as const)
    for (const [name] of edits[key]) if (guarded.has(name) || revealing.has(name)) touch(key, name)
}

function checkPart(judge: FloorJudge, part: Part, floor: HeaderFloor, own: HeaderEdits, route: RouteModel): void {
  const place = (key: keyof HeaderEdits): readonly (string | number)[] => judge.placeOf(route, 'headers', part, key)
  const put = (name: string): readonly (keyof HeaderEdits)[] =>
    (['set', 'add'] as const).filter((key) => own[key].some(([other]) => other === name))
  for (const [name, value] of Object.entries(floor.set ?? {})) {
    const of = ['headers', part, 'set', name]
    const asked = `sets it to ${JSON.stringify(value)}`
    const written = own.set.find(([other]) => other === name)?.[1]
    if (written !== value) {
      const what = written === undefined ? `"${name}" is not set` : `"${name}" is set to something else`
      judge.loosened(place('set'), of, what, asked, 'set it to this value')
    }
    if (own.add.some(([other]) => other === name))
      judge.loosened(place('add'), of, `a further "${name}" is added`, asked, 'take the further line out')
  }
  for (const name of floor.remove ?? []) {
    const of = ['headers', part, 'remove']
    if (!own.remove.includes(name))
      judge.loosened(place('remove'), of, `"${name}" is not taken out`, 'takes it out', `add it to headers.${part}.remove`)
    for (const key of put(name)) judge.loosened(place(key), of, `"${name}" is put in`, 'takes it out', 'leave it out')
  }
}
