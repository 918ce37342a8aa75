import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { test } from 'node:test'
import { identityWorld, pairOf } from '../../test/support/identity-world.ts'
import { Answer } from '../core/answer.ts'
import type { Body, Chunk, End } from '../core/body.ts'
import { StreamBody, textBody } from '../core/body.ts'
import { Fault } from '../core/fault.ts'
import { Headers } from '../core/headers.ts'
import { ManualClock } from '../core/manual-clock.ts'
import { silentMeter } from '../core/meter.ts'
import type { Identity } from '../core/identity.ts'
import { LiveStreams } from './live-streams.ts'

/** A body that gives one piece and then waits for ever, until it is cancelled. */
class Endless extends StreamBody {
  cancelled: unknown
  #given = false

  trailers(): undefined {
    return undefined
  }

  protected read(): Chunk | Promise<Chunk | End> {
    if (this.#given) return new Promise(() => undefined)
    this.#given = true
    return Buffer.from('data: 1\n\n')
  }

  protected stop(why: unknown): void {
    this.cancelled = why
  }
}

const answerOf = (body: Body): Answer => new Answer(200, new Headers(), body)

test('a stream is cut in the middle of a wait when its session ends, and nobody else’s is', async (t) => {
  const world = await identityWorld()
  t.after(() => world.close())
  const worker = await world.worker()
  const { streams } = worker.identity
  const mine = await worker.parts.sessions.start(await world.login(), worker.exchange())
  const theirs = await worker.parts.sessions.start(await world.login('user-2'), worker.exchange())
  const bodies = [new Endless(undefined), new Endless(undefined)]
  const answers = bodies.map(answerOf)
  streams.bind(mine.identity, answers[0])
  streams.bind(theirs.identity, answers[1])
  assert.deepEqual(await answers[0].body.pull(), Buffer.from('data: 1\n\n'))
  const waiting = answers[0].body.pull() as Promise<unknown>
  await worker.parts.sessions.end('user-1', mine.id, 'logout')
  await assert.rejects(waiting, { code: 'cancelled' })
  assert.notEqual(bodies[0].cancelled, undefined)
  assert.equal(bodies[1].cancelled, undefined)
  assert.throws(() => answers[0].body.pull(), { code: 'cancelled' })
  assert.equal(streams.size, 1)
})

test('tunnels are destroyed, and forgotten when they end by themselves', async (t) => {
  const world = await identityWorld()
  t.after(() => world.close())
  const worker = await world.worker()
  const { streams } = worker.identity
  const { id, identity } = await worker.parts.sessions.start(await world.login(), worker.exchange())
  const tunnelled = (): { client: PassThrough; run: () => Promise<unknown>; end: () => void } => {
    const client = new PassThrough()
    client.on('error', () => undefined)
    const { promise: ended, resolve: end } = Promise.withResolvers<void>()
    client.once('close', end)
    const answer = new Answer(101, new Headers(), textBody(''), async () => {
      await ended
      return { sentBytes: 0, receivedBytes: 0 }
    })
    streams.bind(identity, answer)
    return { client, run: () => answer.tunnel!(client, Buffer.alloc(0)), end }
  }
  const [one, other] = [tunnelled(), tunnelled()]
  const running = [one.run(), other.run()]
  assert.equal(streams.size, 2)
  other.end()
  await running[1]
  assert.equal(streams.size, 1)
  await worker.parts.sessions.end('user-1', id, 'logout')
  await running[0]
  assert.ok(one.client.destroyed)
  assert.equal(other.client.destroyed, false)
  assert.equal(streams.size, 0)
})

test('a stream ends with the session or the token it was asked by; a download outlives its token, but not its family', async (t) => {
  const world = await identityWorld()
  t.after(() => world.close())
  const worker = await world.worker()
  const { streams, authenticators } = worker.identity
  const login = await world.login()
  const session = await worker.parts.sessions.start(login, worker.exchange())
  const family = await worker.parts.families.start(login, 'body', worker.exchange())
  const byToken = (await authenticators.bearer!.verify(family.accessToken, worker.exchange(), 0)) as Identity
  const bodies = [new Endless(undefined), new Endless(1_000_000), new Endless(undefined), new Endless(1_000_000)]
  const client = new PassThrough()
  client.on('error', () => undefined)
  const { promise: ended, resolve: end } = Promise.withResolvers<void>()
  client.once('close', end)
  const tunnel = new Answer(101, new Headers(), textBody(''), async () => {
    await ended
    return { sentBytes: 0, receivedBytes: 0 }
  })
  for (const body of bodies.slice(0, 2)) streams.bind(session.identity, answerOf(body))
  for (const body of bodies.slice(2)) streams.bind(byToken, answerOf(body))
  streams.bind(byToken, tunnel)
  const tunnelled = tunnel.tunnel!(client, Buffer.alloc(0))
  const going = (): boolean[] => bodies.map(({ cancelled }) => cancelled === undefined)
  world.clock.advance(byToken.expiresAt - world.clock.now() - 1)
  assert.deepEqual(going(), [true, true, true, true])
  assert.equal(client.destroyed, false)
  world.clock.advance(1001)
  assert.deepEqual(going(), [true, true, false, true])
  assert.equal(client.destroyed, true)
  await tunnelled
  world.clock.advance(session.identity.expiresAt - world.clock.now() - 1)
  assert.deepEqual(going(), [true, true, false, true])
  world.clock.advance(1001)
  assert.deepEqual(going(), [false, false, false, true])
  await worker.parts.families.end(family.refreshToken)
  await world.settle()
  assert.deepEqual(going(), [false, false, false, false])
})

const callerUntil = (expiresAt: number): Identity => ({
  kind: 'bearer',
  issuer: 'https://issuer.example.com',
  subject: 'user-1',
  tenant: undefined,
  client: undefined,
  scopes: [],
  roles: [],
  claims: {},
  expiresAt,
  session: undefined,
  credentialId: undefined,
})

test('where nothing can be revoked, streams still end with a token that expires; nothing else is watched', () => {
  const clock = new ManualClock()
  const streams = new LiveStreams(undefined, clock, silentMeter)
  const [stream, download, forEver] = [new Endless(undefined), new Endless(1_000_000), new Endless(undefined)]
  streams.bind(callerUntil(clock.now() + 5000), answerOf(stream))
  streams.bind(callerUntil(clock.now() + 5000), answerOf(download))
  streams.bind(callerUntil(Infinity), answerOf(forEver))
  assert.equal(streams.size, 1)
  clock.advance(4999)
  assert.equal(stream.cancelled, undefined)
  clock.advance(1001)
  assert.notEqual(stream.cancelled, undefined)
  assert.equal(streams.size, 0)
  clock.advance(100_000)
  assert.deepEqual([download.cancelled, forEver.cancelled], [undefined, undefined])
  streams.close()
})

test('what came whole is not watched, and what is over is forgotten', async (t) => {
  const world = await identityWorld()
  t.after(() => world.close())
  const worker = await world.worker()
  const { streams } = worker.identity
  const cookie = pairOf((await worker.parts.sessions.start(await world.login(), worker.exchange())).setCookie)
  await worker.ask({ cookie })
  assert.equal(streams.size, 0)
  const { identity } = await worker.parts.sessions.start(await world.login(), worker.exchange())
  const answer = answerOf(new Endless(undefined))
  streams.bind(identity, answer)
  assert.equal(streams.size, 1)
  answer.body.cancel(new Fault('client-left'))
  assert.equal(streams.size, 0)
})
