import assert from 'node:assert/strict'
import { test } from 'node:test'
import { collectGarbage } from '../../bench/support/collect-garbage.ts'
import { exchangeOf } from '../../test/support/exchange.ts'
import { LocalHub } from '../../test/support/local-hub.ts'
import { checkGateway } from '../config/check.ts'
import type { GatewayModel } from '../config/model.ts'
import type { Clock } from '../core/clock.ts'
import { Lasting } from '../core/lasting.ts'
import { ManualClock } from '../core/manual-clock.ts'
import { Sweeper } from '../core/sweeper.ts'
import { compileInSlices } from './compile.ts'
import { loneWorkerEnv } from './lone-worker.ts'
import { RequestDesk } from './request-desk.ts'
import { RequestNotes } from './request-notes.ts'
import { passKeys } from './explain-pass.ts'
import type { GenerationEnv } from './worker.ts'

/** A clock on which a millisecond passes whenever it is looked at. */
class HurriedClock extends ManualClock {
  override monotonic(): number {
    this.advance(1)
    return super.monotonic()
  }
}

function envOf(clock: Clock, lasting: Lasting): GenerationEnv {
  return loneWorkerEnv({ clock, sweeper: new Sweeper(clock), link: new LocalHub().link(), lasting })
}

function modelOf(routes: readonly object[], more: object = {}): GatewayModel {
  const input = {
    listeners: { plain: { port: 8080 } },
    services: { orders: { url: 'http://127.0.0.1:1' } },
    defaults: { auth: 'public' },
    ...more,
    routes,
  }
  const { model, findings } = checkGateway(input, { file: '/etc/velum/velum.config.json' })
  if (model === undefined) throw new Error(JSON.stringify(findings))
  return model
}

test('a large configuration is compiled in slices, between which others have their turn', async () => {
  const lasting = new Lasting()
  const model = modelOf(Array.from({ length: 200 }, (_, i) => ({ name: `r${i}`, match: { path: `/r/${i}` }, to: 'orders' })))
  let turns = 0
  let isDone = false
  const count = (): void => {
    turns++
    if (!isDone) setImmediate(count)
  }
  setImmediate(count)
  const generation = await compileInSlices(model, envOf(new HurriedClock(), lasting))
  isDone = true
  assert.equal(generation.routes.length, 200)
  assert.ok(turns >= 40, `others had ${turns} turns`)
  generation.close()
  assert.equal(lasting.size, 0)
})

test('a configuration that cannot be compiled lets go of all it took', async () => {
  const lasting = new Lasting()
  const model = modelOf([{ name: 'a', match: { path: '/a' }, to: 'orders' }])
  const broken = {
    ...model,
    routes: [...model.routes, { ...model.routes[0], policies: [{ policy: 'nonsense', options: {}, source: 'x' }] }],
  }
  await assert.rejects(compileInSlices(broken, envOf(new HurriedClock(), lasting)), /there is no policy "nonsense"/)
  assert.equal(lasting.size, 0)
})

test('what was not there in time is told to whoever waits, also when it failed before', async () => {
  const lasting = new Lasting()
  const model = modelOf([{ name: 'a', match: { path: '/a' }, to: 'orders' }])
  const uses = [
    { policy: 'addresses', options: { allow: undefined, deny: [], denyFiles: ['/gone.txt'] }, source: 'routes[0].addresses' },
  ]
  const asking = {
    ...model,
    routes: Array.from({ length: 100 }, (_, i) => ({ ...model.routes[0], name: `r${i}`, policies: uses })),
  }
  const generation = await compileInSlices(asking, envOf(new HurriedClock(), lasting))
  await assert.rejects(generation.ready!)
  generation.close()
})

test('a Generation that has ended is not held by what is kept of its requests, which still say what was decided', async () => {
  const clock = new ManualClock()
  const hub = new LocalHub()
  const desk = new RequestDesk(hub, { clock, workers: () => 1, keys: passKeys() })
  const env = { ...envOf(clock, new Lasting()), requests: new RequestNotes(hub.link(), clock, 0) }
  const route = { name: 'a', match: { path: '/a' }, respond: { status: 200, body: 'here' }, auth: { any: ['api-key'] } }
  const model = modelOf([route], { identity: { apiKeys: { bot: { sha256: '1'.repeat(64) } } } })
  const refuseOne = async (): Promise<WeakRef<object>> => {
    const generation = await compileInSlices(model, { ...env, hold: new Lasting().hold() })
    const served = generation.served('plain')!
    const x = exchangeOf({ target: '/a', listener: 'plain' })
    const { status } = await served.handle(x)
    served.done(x, { end: 'complete', status, fault: undefined, receivedBytes: 0, sentBytes: 0, endedAt: 0 })
    generation.close()
    return new WeakRef(served)
  }
  const ended = await refuseOne()
  await new Promise((resolve) => void setImmediate(resolve))
  collectGarbage()
  assert.ok(ended.deref() === undefined, 'something holds it')
  const rows = await desk.list()
  assert.deepEqual(
    rows.map(({ status, verdicts }) => [status, verdicts.map(({ code, words }) => `${code}: ${words}`)]),
    [[401, ['no-credential: None of api-key was presented.']]],
  )
})
