import assert from 'node:assert/strict'
import { DatabaseSync } from 'node:sqlite'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import { silentLog } from '../../src/core/log.ts'
import { systemClock } from '../../src/core/clock.ts'
import { MemoryEngine } from '../../src/stores/memory/memory-engine.ts'
import { RedisConnection } from '../../src/stores/redis/redis-connection.ts'
import { RedisEngine } from '../../src/stores/redis/redis-engine.ts'
import { parseRedisUrl } from '../../src/stores/redis/redis-url.ts'
import { migrate } from '../../src/stores/sqlite/migrations.ts'
import { SqliteEngine } from '../../src/stores/sqlite/sqlite-engine.ts'
import { runCall } from '../../src/stores/store-verbs.ts'
import type { PackedFamily, PackedMessage, PackedRotation, StoreCall } from '../../src/stores/store-verbs.ts'
import { noRedis, startRedis } from '../support/redis-server.ts'
import type { RedisServer } from '../support/redis-server.ts'

/** One call, and how much time passes before it. */
interface Step {
  readonly waitMs: number
  readonly call: StoreCall
}

const id = fc.constantFrom('a', 'b')
const owner = fc.constantFrom('ada', 'bob', '')
const token = fc.constantFrom('t0', 't1', 't2', 't3')
const bound = fc.constantFrom('client', 'client', 'client', 'other')
const asked = fc.constantFrom('', '', 'more')
/** Relative to the call; turned into a time when it is made. */
const life = fc.constantFrom(0, 1000, 50_000, Infinity)
const version = fc.constantFrom(1, 2, 3, 10, 11)
const notice = fc.option(fc.record({ topic: fc.constantFrom('x', 'y'), data: fc.constant('"d"'), keepUntil: life }), {
  nil: undefined,
})
const value = fc.constantFrom('{}', '{"n":1}', '{"list":[]}')

function call(verb: StoreCall['verb'], ...args: fc.Arbitrary<unknown>[]): fc.Arbitrary<StoreCall> {
  return fc.tuple(...args).map((made) => ({ verb, args: made }))
}

const change = fc.record({ value, schema: fc.constantFrom(1, 2), expiresAt: life })
const record = fc.record({ id, owner, version: fc.constantFrom(1, 10), value, schema: fc.constant(1), expiresAt: life })
const family: fc.Arbitrary<PackedFamily> = fc.record({
  id,
  owner: fc.constantFrom('ada', 'bob'),
  value,
  schema: fc.constant(1),
  expiresAt: life,
  bound: fc.constant('client'),
  current: fc.constant('t0'),
  previous: fc.constant(''),
  sealed: fc.constant(''),
  asked: fc.constant(''),
  rotations: fc.constant(0),
  rotatedAt: fc.constant(0),
  idleAt: fc.constantFrom(1000, 20_000),
  ended: fc.constant(''),
})
const rotation: fc.Arbitrary<PackedRotation> = fc.record({
  id,
  presented: token,
  successor: token,
  sealed: fc.constantFrom('s1', 's2'),
  bound,
  asked,
  graceMs: fc.constantFrom(0, 1000),
  idleMs: fc.constantFrom(1000, 20_000),
  onReuse: notice.map((n) => n ?? quiet),
})
const quiet = { topic: 'quiet', data: 'null', keepUntil: 0 }
const kind = fc.constantFrom('session', 'user')
const place = fc.record({ id, owner: fc.constant(''), version })

const oneStep: fc.Arbitrary<Step> = fc.record({
  waitMs: fc.constantFrom(0, 0, 1, 999, 1000, 1001),
  call: fc.oneof(
    { weight: 3, arbitrary: call('create', kind, record) },
    { weight: 3, arbitrary: call('update', kind, place, change) },
    { weight: 2, arbitrary: call('remove', kind, id, notice) },
    { weight: 2, arbitrary: call('get', kind, id) },
    { weight: 2, arbitrary: call('owned', kind, owner, fc.constantFrom(1, 10)) },
    { weight: 3, arbitrary: call('createFamily', family) },
    { weight: 12, arbitrary: call('rotate', rotation) },
    { weight: 1, arbitrary: call('endFamily', id, fc.constant('logout'), notice) },
    { weight: 2, arbitrary: call('family', id) },
    { weight: 2, arbitrary: call('ownedFamilies', owner, fc.constantFrom(1, 10)) },
    { weight: 1, arbitrary: call('raise', id, fc.constantFrom('x', 'y'), life) },
    { weight: 1, arbitrary: call('generation', id) },
    {
      weight: 1,
      arbitrary: call('append', fc.record({ topic: fc.constantFrom('x', 'y'), key: id, data: value, keepUntil: life })),
    },
    { weight: 2, arbitrary: call('live') },
  ),
})

/** Long enough that rare states come about. */
const bounds = { minLength: 30, maxLength: 80, size: 'max' } as const
const steps = fc.array(oneStep, bounds)

const longFamily = family.map((one): PackedFamily => Object.assign({}, one, { id: 'a', expiresAt: 50_000, idleAt: 20_000 }))
const longRotation = rotation.map((one): PackedRotation => Object.assign({}, one, { id: 'a', idleMs: 20_000, graceMs: 1000 }))
/** One long-lived family with few tokens, at the edges of its grace. */
const oneRotation: fc.Arbitrary<Step> = fc.record({
  waitMs: fc.constantFrom(0, 0, 1, 999, 1000),
  call: fc.oneof(
    {
      weight: 1,
      arbitrary: call('createFamily', longFamily),
    },
    {
      weight: 12,
      arbitrary: call('rotate', longRotation),
    },
  ),
})
const born: Step = {
  waitMs: 0,
  call: {
    verb: 'createFamily',
    args: fc.sample(longFamily, { numRuns: 1, seed: 1 }),
  },
}
const lives = fc.array(oneRotation, { ...bounds, minLength: 5, maxLength: 12 }).map((made) => [born].concat(made))

/** Spans in the arguments become times; an update names the owner that is there, as who read the record does. */
function at(now: number, made: unknown, ownerOf: (id: string) => string): unknown {
  if (typeof made !== 'object' || made === null) return made
  const fields = Object.entries(made).map(([name, field]): [string, unknown] => {
    const isTime = name === 'expiresAt' || name === 'keepUntil' || name === 'idleAt' || name === 'rotatedAt'
    if (isTime) return [name, now + (field as number)]
    return [name, name === 'onReuse' ? at(now, field, ownerOf) : field]
  })
  const timed = Object.fromEntries(fields) as Record<string, unknown>
  return 'version' in timed && !('value' in timed) ? { ...timed, owner: ownerOf(timed.id as string) } : timed
}

/** What is said, in an order that drivers need not share made equal. */
function inOrder(verb: string, answer: unknown): unknown {
  if (verb !== 'live') return answer
  return (answer as readonly PackedMessage[]).toSorted((a, b) => (a.topic + a.key < b.topic + b.key ? -1 : 1))
}

let server: RedisServer | undefined
before(async () => {
  if (noRedis === false) server = await startRedis()
})
after(() => server?.stop())

/** Runs the same steps on all engines; each must answer as the one in memory does, which says the rules most plainly. */
async function agree(made: readonly Step[], redis: RedisEngine | undefined): Promise<void> {
  const memory = new MemoryEngine(() => {})
  const db = new DatabaseSync(':memory:')
  migrate(db)
  const sqlite = new SqliteEngine(db, () => {})
  let now = systemClock.now()
  for (const { waitMs, call: one } of made) {
    now += waitMs
    const stored = one.verb === 'update' ? (one.args[0] as 'session') : 'session'
    const ownerOf = (of: string): string => memory.get(now, stored, of)?.owner ?? ''
    const timed = { verb: one.verb, args: one.args.map((arg) => at(now, arg, ownerOf)) }
    const expected = inOrder(one.verb, runCall(memory, now, timed))
    assert.deepEqual(inOrder(one.verb, runCall(sqlite, now, timed)), expected, `sqlite: ${JSON.stringify(timed)}`)
    if (redis !== undefined)
      assert.deepEqual(inOrder(one.verb, await runCall(redis, now, timed)), expected, `redis: ${JSON.stringify(timed)}`)
  }
  db.close()
}

test('memory and SQLite answer alike, whatever is called', async () => {
  await fc.assert(
    fc.asyncProperty(fc.oneof(steps, lives), (made) => agree(made, undefined)),
    { numRuns: 1000 },
  )
})

test('Redis answers as they do', { skip: noRedis }, async (t) => {
  const target = parseRedisUrl(server!.url)
  const connection = new RedisConnection({ target, isCluster: false, clock: systemClock, log: silentLog, answerMs: 10_000 })
  t.after(() => connection.close())
  await connection.connect()
  const engine = new RedisEngine(connection)
  await fc.assert(
    fc.asyncProperty(fc.oneof(steps, lives), async (made) => {
      await connection.send(0, ['FLUSHALL'])
      await agree(made, engine)
    }),
    { numRuns: 300 },
  )
})
