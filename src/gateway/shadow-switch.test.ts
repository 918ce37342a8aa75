import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkGateway } from '../config/check.ts'
import type { GatewayModel } from '../config/model.ts'
import { ManualClock } from '../core/manual-clock.ts'
import { silentLog } from '../core/log.ts'
import type { ShadowOrder } from './shadow-switch.ts'
import { shadowNotes, ShadowSwitch } from './shadow-switch.ts'

function modelOf(changes: object = {}): GatewayModel {
  const limit = { algorithm: 'fixed-window', limit: 1, window: '1h' }
  const input = {
    listeners: { web: { port: 8080 } },
    services: { a: { url: 'http://127.0.0.1:7001', limits: ['small'] } },
    limits: { small: limit, other: limit },
    penalties: { banned: { for: '1h', per: ['address'] } },
    routes: [
      { name: 'one', match: { path: '/one' }, to: 'a', auth: 'public', limits: ['small', 'other'] },
      { name: 'two', match: { path: '/two' }, to: 'a', auth: 'public', limits: ['small', 'other'] },
    ],
    ...changes,
  }
  const { model, findings } = checkGateway(input, { file: '/velum.config.yaml' })
  assert.ok(model !== undefined, JSON.stringify(findings))
  return model
}

/** A gateway that serves whatever it is given, one after the other. */
function scene(first = modelOf()) {
  const clock = new ManualClock()
  const served: GatewayModel[] = [first]
  const gateway = {
    get model() {
      return served.at(-1)!
    },
    async replace(next: GatewayModel | ((current: GatewayModel) => GatewayModel)) {
      served.push(typeof next === 'function' ? next(served.at(-1)!) : next)
    },
  }
  const shadows = new ShadowSwitch({ gateway, clock, log: silentLog })
  return { clock, gateway, shadows, first, served }
}

const order = (changes: Partial<ShadowOrder> = {}): ShadowOrder => ({
  kind: 'limit',
  name: 'small',
  shadow: true,
  forMs: 60_000,
  ...changes,
})
const usesOf = ({ routes }: GatewayModel): Record<string, boolean> =>
  Object.fromEntries(routes.flatMap(({ name, limits }) => limits.map(({ use, shadow }) => [`${name} ${use}`, shadow])))

test('a limit goes into shadow wherever it is named, and comes back when its time is over', async () => {
  const { clock, gateway, shadows, first } = scene()
  await shadows.set(order())
  assert.deepEqual(usesOf(gateway.model), { 'one small': true, 'one other': false, 'two small': true, 'two other': false })
  assert.deepEqual(
    gateway.model.limits.map(({ name, shadow }) => [name, shadow]),
    [
      ['small', true],
      ['other', false],
    ],
  )
  assert.equal(gateway.model.services[0].limits?.[0].shadow, true)
  assert.notEqual(gateway.model.hash, first.hash)
  assert.match(shadowNotes(shadows.list())[0], /limit "small" is in shadow until/)
  clock.advance(59_999)
  await new Promise(setImmediate)
  assert.equal(shadows.list().length, 1)
  clock.advance(1)
  await new Promise(setImmediate)
  assert.deepEqual(shadows.list(), [])
  assert.equal(gateway.model, first, 'the very configuration of the file')
})

test('one route alone, a later order over an earlier one, and an end by hand', async () => {
  const { gateway, shadows, first } = scene()
  const all = await shadows.set(order())
  const one = await shadows.set(order({ route: 'one', shadow: false }))
  assert.deepEqual(usesOf(gateway.model), { 'one small': false, 'one other': false, 'two small': true, 'two other': false })
  assert.equal((await shadows.end(all.id))?.id, all.id)
  assert.deepEqual(usesOf(gateway.model), usesOf(first))
  assert.equal((await shadows.end(one.id))?.id, one.id)
  assert.equal(await shadows.end(one.id), undefined)
  assert.equal(gateway.model, first)
  await shadows.set(order({ kind: 'penalty', name: 'banned' }))
  assert.equal(gateway.model.penalties?.[0].shadow, true)
})

test('a change of the configuration ends all of them, also one that comes between', async () => {
  const { clock, gateway, shadows } = scene()
  await shadows.set(order())
  const next = modelOf({ name: 'next' })
  await gateway.replace(next)
  assert.deepEqual(shadows.list(), [])
  await shadows.set(order({ name: 'other' }))
  assert.equal(gateway.model.name, 'next')
  assert.deepEqual(usesOf(gateway.model), { 'one small': false, 'one other': true, 'two small': false, 'two other': true })
  await gateway.replace(next)
  clock.advance(120_000)
  await new Promise(setImmediate)
  assert.equal(gateway.model, next, 'what was over before is not taken back twice')
})

test('a floor is not loosened, and what is no order changes nothing', async () => {
  const limit = { algorithm: 'fixed-window', limit: 1, window: '1h' }
  const { gateway, shadows, served } = scene(modelOf({ floor: { limits: { small: limit } } }))
  assert.deepEqual(gateway.model.floorLimits, ['small'])
  const refused: readonly (readonly [Partial<ShadowOrder>, RegExp])[] = [
    [{}, /^floor\.limits\.small asks/],
    [{ route: 'one' }, /^floor\.limits\.small asks/],
    [{ name: 'nothing' }, /no limit "nothing"/],
    [{ name: 'other', route: 'three' }, /no route "three"/],
    [{ kind: 'penalty', name: 'nothing' }, /no penalty/],
    [{ kind: 'penalty', name: 'banned', route: 'one' }, /leave the route out/],
    [{ name: 'other', forMs: 86_400_001 }, /24 hours at most/],
    [{ name: 'other', forMs: Number.NaN }, /a second at least/],
  ]
  for (const [changes, why] of refused)
    await assert.rejects(
      shadows.set(order(changes)),
      (thrown: Error) => thrown.name === 'ShadowOrderError' && why.test(thrown.message),
    )
  assert.equal(served.length, 1)
  await shadows.set(order({ shadow: false }))
  assert.equal(shadows.list().length, 1, 'to be stricter than the file is nobody’s harm')
})
