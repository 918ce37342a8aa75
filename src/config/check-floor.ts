import type { AddressesOptions } from '../policies/addresses.ts'
import type { CsrfOptions } from '../policies/csrf.ts'
import { isWithinBlocks } from '../lib/address.ts'
import { durationText } from '../lib/duration.ts'
import { sizeText } from '../lib/size.ts'
import type { CheckContext } from './check-context.ts'
import { checkFloorHeaders } from './check-floor-headers.ts'
import { checkFloorLimits, checkFloorUses } from './check-floor-limits.ts'
import type { CheckedLimit } from './check-limits.ts'
import type { Floor } from './floor-judge.ts'
import { FloorJudge, optionsOf } from './floor-judge.ts'
import type { GatewayModel, RouteModel } from './model.ts'
import { floorSchema } from './schema/floor.ts'

/** Holds a gateway to its floor: whatever is looser is an error that names both places. Gives the limits that it asks for in earnest. */
export function checkFloor(
  context: CheckContext,
  model: Pick<GatewayModel, 'routes' | 'listeners' | 'trustedProxies' | 'identity'>,
  limits: ReadonlyMap<string, CheckedLimit>,
): readonly string[] {
  const { reading } = context
  const floor = reading.at(['floor']) === undefined ? undefined : reading.readFields(floorSchema, ['floor'])
  if (floor === undefined) return []
  const judge = new FloorJudge(context)
  checkFloorLimits(context, judge, floor, limits)
  checkDoors(judge, floor, model)
  for (const route of model.routes) {
    checkAuth(judge, floor, route)
    checkFloorUses(judge, floor, route, limits)
    checkFloorHeaders(judge, floor, route)
    checkBody(judge, floor, route)
    checkTimes(judge, floor, route)
    checkCsrf(judge, floor, route)
    checkAddresses(judge, floor, route)
  }
  return Object.entries(floor.limits ?? {}).flatMap(([name, { shadow }]) => (shadow === true ? [] : [name]))
}

function checkDoors(
  judge: FloorJudge,
  { tls, trustedProxies, csrf }: Floor,
  model: Pick<GatewayModel, 'listeners' | 'trustedProxies' | 'identity'>,
): void {
  for (const listener of tls === undefined ? [] : model.listeners) {
    const path = ['listeners', listener.name]
    const least = tls?.minVersion ?? 'TLSv1.2'
    if (listener.tls === undefined && listener.redirectPort === undefined)
      judge.loosened(
        path,
        ['tls'],
        'this listener does not terminate TLS',
        'asks every listener to',
        "add tls, or redirect: 'https'",
      )
    else if (listener.tls !== undefined && listener.tls.minVersion < least)
      judge.loosened(
        [...path, 'tls', 'minVersion'],
        ['tls', 'minVersion'],
        `this listener speaks ${listener.tls.minVersion}`,
        `allows nothing older than ${least}`,
        `write minVersion: '${least}'`,
      )
  }
  for (const [i, block] of trustedProxies === undefined ? [] : model.trustedProxies.entries()) {
    if (isWithinBlocks(block, trustedProxies ?? [])) continue
    const allowed = trustedProxies?.length === 0 ? 'allows no proxy' : `allows only ${trustedProxies?.join(', ')}`
    judge.loosened(['trustedProxies', i], ['trustedProxies'], `${block} is trusted`, allowed, 'take it out')
  }
  if (csrf === undefined) return
  for (const [i, origin] of (model.identity.own?.trustedOrigins ?? []).entries())
    checkOrigin(judge, csrf, ['identity', 'trustedOrigins', i], origin)
}

function checkAuth(judge: FloorJudge, { auth, onStoreFailure }: Floor, route: RouteModel): void {
  const { mode, any, shadow, staleMs } = route.auth
  if (auth !== undefined) {
    const write = 'write auth: { any: [...] } with the credentials that it accepts'
    const asked = 'asks every caller who they are'
    const of = ['auth']
    if (mode === 'public') judge.loosened(judge.placeOf(route, 'auth'), of, 'everybody may call', asked, write)
    if (mode === 'optional')
      judge.loosened(
        judge.placeOf(route, 'auth', 'optional'),
        of,
        'callers without a credential may pass',
        asked,
        'leave optional out',
      )
    if (shadow === true)
      judge.loosened(judge.placeOf(route, 'auth', 'shadow'), of, 'nobody is refused (shadow)', asked, 'leave shadow out')
  }
  if (typeof auth === 'object' && mode !== 'public') {
    const allowed = auth.any.join(', ')
    const others = any.filter((kind) => !auth.any.some((one) => one === kind))
    if (others.length > 0)
      judge.loosened(
        judge.placeOf(route, 'auth', 'any'),
        ['auth', 'any'],
        `${others.join(' and ')} ${others.length === 1 ? 'is' : 'are'} accepted`,
        `allows only ${allowed}`,
        `take ${others.length === 1 ? 'it' : 'them'} out`,
      )
    else if (any.length === 0)
      judge.loosened(
        judge.placeOf(route, 'auth'),
        ['auth', 'any'],
        'a service decides alone',
        `asks for ${allowed}`,
        `add any: ['${auth.any[0]}']`,
      )
  }
  if (onStoreFailure === undefined || mode === 'public') return
  const most = onStoreFailure === 'closed' ? 0 : onStoreFailure.stale
  if (staleMs <= most) return
  judge.loosened(
    judge.placeOf(route, 'onStoreFailure'),
    ['onStoreFailure'],
    `without the store callers are believed for ${durationText(staleMs)}`,
    most === 0 ? 'allows no time' : `allows ${durationText(most)}`,
    most === 0 ? "write 'closed'" : `write { stale: '${durationText(most)}' } or less`,
  )
}

function checkBody(judge: FloorJudge, { body }: Floor, route: RouteModel): void {
  if (body?.max === undefined) return
  const most = sizeText(body.max)
  const of = ['body', 'max']
  if (route.maxBodyBytes > body.max)
    judge.loosened(
      judge.placeOf(route, 'body', 'max'),
      of,
      `request bodies may be ${route.maxBodyBytes === Infinity ? 'of any size' : `as large as ${sizeText(route.maxBodyBytes)}`}`,
      `allows ${most}`,
      `write body: { max: '${most}' } or less`,
    )
  if ((optionsOf(route, 'body') as { shadow?: boolean } | undefined)?.shadow === true)
    judge.loosened(judge.placeOf(route, 'body', 'shadow'), of, 'no body is refused (shadow)', `allows ${most}`, 'leave shadow out')
}

function checkTimes(judge: FloorJudge, { timeout, deadline }: Floor, route: RouteModel): void {
  if (route.action.kind !== 'to') return
  for (const [name, most, has] of [
    ['timeout', timeout, route.timeoutMs],
    ['deadline', deadline, route.deadlineMs ?? Infinity],
  ] as const) {
    if (most === undefined || has <= most) continue
    const what = has === Infinity ? `there is no ${name}` : `the ${name} is ${durationText(has)}`
    const text = durationText(most)
    judge.loosened(judge.placeOf(route, name), [name], what, `allows ${text} at most`, `write ${name}: '${text}' or less`)
  }
}

function checkCsrf(judge: FloorJudge, { csrf }: Floor, route: RouteModel): void {
  const own = optionsOf(route, 'csrf') as CsrfOptions | undefined
  if (csrf === undefined || own === undefined) return
  if (own.shadow)
    judge.loosened(
      judge.placeOf(route, 'csrf', 'shadow'),
      ['csrf'],
      'pages of other sites are not refused (shadow)',
      'asks for that',
      'leave shadow out',
    )
  for (const origin of own.origins) checkOrigin(judge, csrf, judge.placeOf(route, 'csrf', 'origins'), origin)
}

function checkOrigin(
  judge: FloorJudge,
  csrf: NonNullable<Floor['csrf']>,
  path: readonly (string | number)[],
  origin: string,
): void {
  const allowed = csrf.origins ?? []
  if (allowed.includes(origin)) return
  const asked = allowed.length === 0 ? 'allows no further origin' : `allows only ${allowed.join(', ')}`
  judge.loosened(path, ['csrf', 'origins'], `pages of ${origin} may act with a session`, asked, 'take the origin out')
}

function checkAddresses(judge: FloorJudge, { addresses }: Floor, route: RouteModel): void {
  if (addresses === undefined) return
  const { allow, deny = [], allowFiles = [], shadow } = (optionsOf(route, 'addresses') as AddressesOptions | undefined) ?? {}
  const place = (key: keyof AddressesOptions): readonly (string | number)[] => judge.placeOf(route, 'addresses', key)
  if (shadow === true)
    judge.loosened(place('shadow'), ['addresses'], 'no address is refused (shadow)', 'asks for that', 'leave shadow out')
  const missing = (addresses.deny ?? []).filter((block) => !isWithinBlocks(block, deny))
  if (missing.length > 0)
    judge.loosened(
      place('deny'),
      ['addresses', 'deny'],
      `${missing.join(', ')} may call`,
      'denies that',
      `add ${missing.length === 1 ? 'it' : 'them'} to addresses.deny`,
    )
  if (addresses.allow === undefined) return
  const within = addresses.allow.join(', ')
  const remedy = 'allow only addresses within these'
  if (allow === undefined)
    judge.loosened(place('allow'), ['addresses', 'allow'], 'any address may call', `allows only ${within}`, remedy)
  const outside = (allow ?? []).filter((block) => !isWithinBlocks(block, addresses.allow ?? []))
  if (outside.length > 0)
    judge.loosened(place('allow'), ['addresses', 'allow'], `${outside.join(', ')} may call`, `allows only ${within}`, remedy)
  if (allowFiles.length > 0)
    judge.loosened(
      place('allowFiles'),
      ['addresses', 'allow'],
      'files say who may call, whatever will stand in them',
      `allows only ${within}`,
      'write the addresses into allow',
    )
}
