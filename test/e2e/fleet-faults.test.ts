import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { startFleetNode } from '../support/fleet-node.ts'
import type { FleetNode, Told } from '../support/fleet-node.ts'
import { noRedis, startRedis } from '../support/redis-server.ts'
import type { RedisServer } from '../support/redis-server.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'
import type { TcpProxy } from '../support/tcp-proxy.ts'

const behaviours = ['local', 'open', 'closed'] as const
type Behaviour = (typeof behaviours)[number]

const limit = 90
const nodeCount = 3

const config = `
name: fleet
listeners: { web: { port: 0, host: 127.0.0.1 } }
log: { format: none }
store: { kind: redis, url: '\${REDIS}' }
secret: ['a-secret-of-the-tests-that-is-long-enough']
defaults: { auth: public }
limits:
${behaviours.map((name) => `  ${name}: { algorithm: token-bucket, capacity: ${limit}, refill: 1/d, per: ['header:x-key'], tolerance: 0, onStoreFailure: ${name} }`).join('\n')}
routes:
${behaviours.map((name) => `  - { name: ${name}, match: { path: /${name} }, respond: { status: 200, body: ok }, limits: [${name}] }`).join('\n')}
`

/** What happens to the store, and how it comes back. */
interface Accident {
  readonly name: string
  begin(): Promise<void> | void
  end(): Promise<void> | void
  /** Whether the store can be away for so short a time that nobody notices. */
  readonly isBrief?: boolean
}

/** What the clients of one behaviour saw. */
interface Seen {
  readonly before: Told[]
  readonly during: Told[]
  readonly after: Told[]
}

/** Keeps asking on one node, one request at a time. */
async function load(node: FleetNode, path: string, key: string, into: () => Told[] | undefined): Promise<void> {
  for (;;) {
    const told = await node.ask(path, { 'x-key': key })
    const list = into()
    if (list === undefined) return
    list.push(told)
    await sleep(4)
  }
}

const count = (answers: readonly Told[], status: number): number => answers.filter((told) => told.status === status).length

/** Until the condition holds; the runner's own time is the limit. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await sleep(10)
}

/** Until every node has asked the store for thirty different budgets in a row. */
async function recovered(nodes: readonly FleetNode[]): Promise<void> {
  await Promise.all(
    nodes.map(async (node) => {
      for (let answered = 0; answered < 30; answered++) {
        const { status } = await node.ask('/closed', { 'x-key': `recovered-${Math.random()}` })
        if (status === 503) answered = -1
        await sleep(5)
      }
    }),
  )
}

/** Load on all nodes before, during and after an accident. */
async function survive(nodes: readonly FleetNode[], key: string, accident: Accident): Promise<Record<Behaviour, Seen>> {
  const seen: Record<Behaviour, Seen> = {
    local: { before: [], during: [], after: [] },
    open: { before: [], during: [], after: [] },
    closed: { before: [], during: [], after: [] },
  }
  let phase: keyof Seen | undefined = 'before'
  const loads = behaviours.flatMap((behaviour) =>
    nodes.flatMap((node) => [1, 2].map(() => load(node, `/${behaviour}`, key, () => phase && seen[behaviour][phase]))),
  )
  const every = (isSo: (one: Seen, behaviour: Behaviour) => boolean): boolean =>
    behaviours.every((behaviour) => isSo(seen[behaviour], behaviour))
  // All is used up, and all nodes know.
  await until(() => every(({ before }) => before.length > limit && before.slice(-20).every(({ status }) => status === 429)))
  await accident.begin()
  phase = 'during'
  if (accident.isBrief !== true) {
    await until(() => count(seen.closed.during, 503) >= 100 && count(seen.open.during, 200) >= 100)
    await until(() => seen.local.during.slice(-20).every(({ status }) => status === 429) && count(seen.local.during, 429) >= 100)
  }
  await accident.end()
  phase = 'after'
  await until(() =>
    every(({ after }, behaviour) => {
      const last = after.slice(-20)
      return last.length === 20 && last.every(({ status }) => status === 429 || (behaviour === 'local' && status === 200))
    }),
  )
  phase = undefined
  await Promise.all(loads)
  return seen
}

function say(t: TestContext, name: string, seen: Record<Behaviour, Seen>): void {
  for (const behaviour of behaviours) {
    const columns = (['before', 'during', 'after'] as const).map((phase) => {
      const answers = seen[behaviour][phase]
      return `${phase} ${[200, 429, 503].map((status) => `${status}×${count(answers, status)}`.padEnd(9)).join(' ')}`
    })
    const times = seen[behaviour].during.map(({ ms }) => ms).toSorted((a, b) => a - b)
    const at = (part: number): string => (times[Math.floor(part * (times.length - 1))] ?? 0).toFixed(1)
    t.diagnostic(
      `${name.padEnd(16)} ${behaviour.padEnd(7)} ${columns.join('| ')}| ms: median ${at(0.5)}, 99 % ${at(0.99)}, longest ${at(1)}`,
    )
  }
}

/** Whatever happens: no other answer, nobody waits for the store, and no more passes than is declared. */
function judge({ local, open, closed }: Record<Behaviour, Seen>): void {
  const all = ({ before, during, after }: Seen): Told[] => [...before, ...during, ...after]
  for (const told of [local, open, closed].flatMap(all)) {
    assert.ok([200, 429, 503].includes(told.status), `${told.status}`)
    assert.ok(told.ms < 1900, `somebody waited for ${told.ms} ms`)
    if (told.status !== 200) assert.match(told.retryAfter ?? '', /^[1-9]\d*$/)
  }
  assert.equal(count(all(local), 503) + count(all(open), 503), 0, 'only who asks for it is told that the store is away')
  // The store's budget, and one more shared out among the nodes.
  assert.ok(count(all(local), 200) <= 2 * limit, `local: ${count(all(local), 200)} passed`)
  assert.ok(count(all(closed), 200) <= limit, `closed: ${count(all(closed), 200)} passed`)
  // On a busy machine the store may have been late for some before.
  for (const { before } of [local, open, closed]) assert.ok(count(before, 200) >= limit - count(closed.before, 503))
}

test('whatever happens to the store, each limit does what it says', { skip: noRedis }, async (t) => {
  const redis = await startRedis('--repl-diskless-sync-delay', '0')
  const replica = await startRedis('--replicaof', '127.0.0.1', String(redis.port))
  const proxy: TcpProxy = await startTcpProxy(redis.port)
  t.after(async () => {
    proxy.close()
    await Promise.all([redis.stop(), replica.stop()])
  })
  const env = { REDIS: `redis://127.0.0.1:${proxy.port}` }
  const nodes: FleetNode[] = []
  while (nodes.length < nodeCount) nodes.push(await startFleetNode(t, { config, env }))
  // What a replica has not received is lost with its master, and nobody knows: here nothing shall be.
  const inSync = (): Promise<void> =>
    until(() => {
      const info = redis.cli('info', 'replication')
      const received = /state=online,offset=(\d+)/.exec(info)?.[1]
      return received !== undefined && received === /master_repl_offset:(\d+)/.exec(info)?.[1]
    })
  await inSync()
  await untilAllKnowAll(redis)

  const accidents: Accident[] = [
    { name: 'paused', begin: () => redis.pause(), end: () => redis.resume() },
    {
      name: 'slow by 2 s',
      begin() {
        proxy.delayMs = 2000
      },
      end() {
        proxy.delayMs = 0
      },
    },
    { name: 'killed', begin: () => redis.kill(), end: () => redis.restartEmpty() },
    { name: 'restarted empty', begin: () => redis.restartEmpty(), end: () => {}, isBrief: true },
    {
      name: 'failed over',
      async begin() {
        await inSync()
        await redis.kill()
      },
      end() {
        promote(replica)
        proxy.leadTo(replica.port)
      },
    },
  ]
  for (const accident of accidents) {
    await t.test(accident.name, async (sub) => {
      await recovered(nodes)
      const seen = await survive(nodes, accident.name.replaceAll(' ', '-'), accident)
      say(sub, accident.name, seen)
      judge(seen)
    })
  }
})

/** Until every node has greeted the store after all of them had. */
async function untilAllKnowAll(redis: RedisServer): Promise<void> {
  const greeted = (): number[] => {
    const [key] = redis.cli('keys', '*budget-holders*').split('\n')
    const lines = key === '' ? [] : redis.cli('zrange', key, '0', '-1', 'withscores').trim().split('\n')
    return lines.filter((_, i) => i % 2 === 1).map(Number)
  }
  await until(() => greeted().length === nodeCount)
  const all = Math.max(...greeted())
  await until(() => greeted().every((at) => at > all))
}

function promote(replica: RedisServer): void {
  replica.cli('replicaof', 'no', 'one')
}
