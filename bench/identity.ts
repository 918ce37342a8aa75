import { generateKeyPairSync, sign, verify } from 'node:crypto'
import type { Exchange } from '../src/core/exchange.ts'
import { Headers } from '../src/core/headers.ts'
import type { Identity } from '../src/core/identity.ts'
import { Rejection } from '../src/identity/rejection.ts'
import { exchangeOf } from '../test/support/exchange.ts'
import { identityWorld, pairOf } from '../test/support/identity-world.ts'
import type { WorkerWorld } from '../test/support/identity-world.ts'
import { noRedis } from '../test/support/redis-server.ts'
import { besideLogins, redisRotations, revocationDelays } from './identity-fleet.ts'
import type { BenchOptions } from './run.ts'
import { cleaningUp } from './support/cleanup.ts'
import { collectGarbage } from './support/collect-garbage.ts'
import { median, table } from './support/table.ts'

const subjects = 10_000

/**
 * What identity costs a worker, in its own thread and without sockets: CPU that a session or bearer request takes beyond
 * a public one (credential read, judged, service told by a token), a token seen for the first time beside bare
 * `node:crypto`, and refreshes of a family on the store in memory. Then with real processes: rotations on Redis, how soon
 * another node knows of a logout, and what a crowd that logs in does to everybody else's requests.
 */
export async function benchIdentity(options: BenchOptions): Promise<void> {
  const { isQuick } = options
  const requests = isQuick ? 20_000 : 100_000
  const world = await identityWorld()
  const rows: string[][] = []
  try {
    const worker = await world.worker()
    const credentials = await credentialsOf(worker, await world.login())
    const drawn = zipf(subjects, requests)
    for (const kind of ['session', 'bearer'] as const) {
      const lines = drawn.map((i) => credentials[kind][i])
      rows.push([
        `${kind}, known (10,000 by Zipf)`,
        `${(await costOf(worker, kind, lines)).toFixed(2)} µs beyond a public request`,
        'at most 3 µs',
      ])
    }
    const [own, bare] = coldVerification(worker, isQuick ? 1000 : 4000)
    rows.push([
      'bearer, first seen (ES256)',
      `${own.toFixed(1)} µs; bare node:crypto ${bare.toFixed(1)} µs: ${(own / bare).toFixed(2)} ×`,
      'at most 1.2 ×',
    ])
    rows.push([
      'refresh (store in memory)',
      `${(await refreshes(worker, () => world.login(), isQuick ? 1000 : 5000)).toFixed(0)}/s`,
      '',
    ])
  } finally {
    await world.close()
  }
  if (noRedis === false) rows.push(...(await onRedis(options)))
  else console.log(`left out: ${noRedis}`)
  await cleaningUp(async (cleanup) => {
    const { alone, beside, logins } = await besideLogins(cleanup, options)
    rows.push([
      'p99 of requests beside 200 people logging in',
      `${beside.toFixed(1)} ms, without them ${alone.toFixed(1)} ms: ${(beside / alone).toFixed(2)} × (${logins.toFixed(0)} logins/s)`,
      'at most 2 ×',
    ])
  })
  console.log(table(['what', 'measured', 'claimed'], rows))
}

async function onRedis(options: BenchOptions): Promise<string[][]> {
  const rows: string[][] = []
  await cleaningUp(async (cleanup) => {
    rows.push(['rotation in the store (Redis)', `${(await redisRotations(cleanup, options)).toFixed(0)}/s`, 'at least 10,000/s'])
  })
  await cleaningUp(async (cleanup) => {
    const delays = await revocationDelays(cleanup, options)
    rows.push([
      'logout seen by a second node (Redis)',
      `median ${median(delays).toFixed(1)} ms, longest ${Math.max(...delays).toFixed(1)} ms of ${delays.length}`,
      'median below 100 ms',
    ])
  })
  return rows
}

const browser = [
  ...'Host: api.example.com\nAccept: */*\nAccept-Language: en\nSec-Fetch-Site: same-origin'.split(/: |\n/),
  'User-Agent',
  'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0 Safari/537.36',
]

type Login = Awaited<ReturnType<Awaited<ReturnType<typeof identityWorld>>['login']>>

async function credentialsOf(worker: WorkerWorld, login: Login): Promise<{ session: string[][]; bearer: string[][] }> {
  const session: string[][] = []
  const bearer: string[][] = []
  for (let i = 0; i < subjects; i++) {
    const account = { ...login.account, subject: `user-${i}` }
    const cookie = pairOf((await worker.parts.sessions.start({ ...login, account }, worker.exchange())).setCookie)
    session.push([...browser, 'Cookie', `theme=dark; ${cookie}; x=1`])
    bearer.push([...browser, 'Authorization', `Bearer ${mint(worker, `user-${i}`)}`])
  }
  return { session, bearer }
}

function mint(worker: WorkerWorld, subject: string): string {
  const grant = {
    subject,
    tenant: 'acme',
    client: undefined,
    scopes: ['orders:read'],
    roles: ['staff'],
    session: undefined,
    generation: 0,
  }
  return worker.parts.tokens.accessToken(grant).text
}

/** Microseconds of CPU beyond making the exchange, every credential and every service token being remembered. */
async function costOf(worker: WorkerWorld, kind: 'session' | 'bearer', lines: readonly string[][]): Promise<number> {
  const authenticator = worker.identity.authenticators[kind]!
  const tell = worker.identity.tokenEdit!('orders')
  const { startedAt } = worker.exchange()
  const plain = (headers: readonly string[]): Exchange => exchangeOf({ headers, startedAt })
  const asked = (headers: readonly string[]): unknown => {
    const x = plain(headers)
    const found = authenticator.verify(authenticator.presented(x)!, x, 0)
    x.identity = found as Identity
    const toService = new Headers()
    if (!(found instanceof Promise) && !(found instanceof Rejection)) tell(toService, x)
    return toService
  }
  // The first request of each session asks the store; from then on nothing waits.
  for (const headers of lines) {
    const x = plain(headers)
    await authenticator.verify(authenticator.presented(x)!, x, 0)
  }
  return cpuOf(lines, asked) - cpuOf(lines, plain)
}

/** Microseconds each, at the second time. */
function cpuOf<T>(items: readonly T[], run: (item: T) => unknown): number {
  cpuOnce(items, run)
  return cpuOnce(items, run)
}

/**
 * Both in turns, so that a machine that grows slower does so for both; medians of the turns. What was made for a turn is
 * collected before it, so that nobody pays for it.
 */
function coldVerification(worker: WorkerWorld, count: number): [own: number, bare: number] {
  const bearer = worker.identity.authenticators.bearer!
  const x = worker.exchange()
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const own: number[] = []
  const bare: number[] = []
  for (let turn = 0; turn < 10; turn++) {
    // One piece of memory each, as a request's head is.
    const tokens = Array.from({ length: count / 10 }, (_, i) =>
      Buffer.from(mint(worker, `cold-${turn}-${i}`), 'latin1').toString('latin1'),
    )
    const signed = tokens.map((token) => {
      const content = Buffer.from(token.slice(0, token.lastIndexOf('.')))
      return { content, signature: sign('sha256', content, { key: privateKey, dsaEncoding: 'ieee-p1363' }) }
    })
    collectGarbage()
    own.push(cpuOnce(tokens, (token) => bearer.verify(token, x, 0)))
    collectGarbage()
    bare.push(
      cpuOnce(signed, ({ content, signature }) =>
        verify('sha256', content, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature),
      ),
    )
  }
  return [median(own), median(bare)]
}

function cpuOnce<T>(items: readonly T[], run: (item: T) => unknown): number {
  const before = process.cpuUsage()
  for (const item of items) run(item)
  const { user, system } = process.cpuUsage(before)
  return (user + system) / items.length
}

async function refreshes(worker: WorkerWorld, login: () => Promise<Login>, count: number): Promise<number> {
  let { refreshToken } = await worker.parts.families.start(await login(), 'body', worker.exchange())
  const began = performance.now()
  for (let i = 0; i < count; i++) {
    const issued = await worker.parts.families.refresh(refreshToken, 'body', worker.exchange())
    if (typeof issued === 'string') throw new Error('a refresh was refused')
    refreshToken = issued.refreshToken
  }
  return (count / (performance.now() - began)) * 1000
}

/** Indexes below `n`, drawn by Zipf's law. */
function zipf(n: number, count: number): number[] {
  const sums: number[] = []
  let sum = 0
  for (let i = 1; i <= n; i++) sums.push((sum += 1 / i))
  return Array.from({ length: count }, () => {
    const wanted = Math.random() * sum
    let low = 0
    let high = n - 1
    while (low < high) {
      const middle = (low + high) >> 1
      if (sums[middle] < wanted) low = middle + 1
      else high = middle
    }
    return low
  })
}
