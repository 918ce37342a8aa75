import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Agent, createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { systemClock } from '../src/core/clock.ts'
import { silentLog } from '../src/core/log.ts'
import { PasswordThreads } from '../src/identity/login/password-threads.ts'
import { Users } from '../src/identity/login/users.ts'
import { openRedisStores } from '../src/stores/redis/redis-stores.ts'
import { openSqliteStores } from '../src/stores/sqlite/sqlite-stores.ts'
import { fleetEnv, seedSessions, startNode } from '../test/support/identity-fleet.ts'
import { startRedis } from '../test/support/redis-server.ts'
import { readyListeners, startVelum, workFolder } from '../test/support/velum-process.ts'
import type { Cleanup } from '../test/support/velum-process.ts'
import type { BenchOptions } from './run.ts'
import { median, quantile } from './support/table.ts'

/** Rotations a second of one process on a Redis beside it: as many families at once, each rotated one after the other. */
export async function redisRotations(t: Cleanup, { isQuick }: BenchOptions): Promise<number> {
  const redis = await startRedis()
  t.after(() => redis.stop())
  const { stores } = await openRedisStores({ url: redis.url, clock: systemClock, log: silentLog, answerMs: 10_000 })
  t.after(() => stores.close())
  const families = 128
  const each = isQuick ? 50 : 500
  const expiresAt = Date.now() + 86_400_000
  const rotateAll = async (id: string): Promise<void> => {
    let token = secret()
    const owner = `user-${id}`
    await stores.families.create({ id, owner, value: {}, schema: 1, token, bound: 'body', idleMs: 86_400_000, expiresAt })
    for (let i = 0; i < each; i++) {
      const successor = secret()
      const onReuse = { topic: 'revoked.session', data: true, keepUntil: expiresAt }
      const { kind } = await stores.families.rotate({
        id,
        presented: token,
        successor,
        sealed: successor + successor,
        bound: 'body',
        asked: '',
        graceMs: 10_000,
        idleMs: 86_400_000,
        onReuse,
      })
      if (kind !== 'rotated') throw new Error(`a rotation was ${kind}`)
      token = successor
    }
  }
  await Promise.all(Array.from({ length: families }, (_, i) => rotateAll(`warm-${i}`)))
  const began = performance.now()
  await Promise.all(Array.from({ length: families }, (_, i) => rotateAll(`family-${i}`)))
  return ((families * each) / (performance.now() - began)) * 1000
}

/** Milliseconds from a logout's answer on one node to the first refusal on another, both processes on one Redis. */
export async function revocationDelays(t: Cleanup, { isQuick }: BenchOptions): Promise<number[]> {
  const redis = await startRedis()
  t.after(() => redis.stop())
  const env = fleetEnv(redis.url, await serviceFor(t))
  const [one, other] = [await startNode(t, env), await startNode(t, env)]
  const delays: number[] = []
  for (const cookie of await seedSessions(redis.url, isQuick ? 20 : 100)) {
    const headers = { cookie }
    if ((await other.ask('/orders/1', { headers })).status !== 200) throw new Error('a session is not good')
    const ended = await one.ask('/auth/logout', { method: 'POST', headers: { ...headers, 'sec-fetch-site': 'same-origin' } })
    for (;;) {
      const told = await other.ask('/orders/1', { headers })
      if (told.status === 200) continue
      delays.push(Math.max(0, told.toldAt - ended.toldAt))
      break
    }
  }
  return delays
}

const secret = (): string => randomBytes(32).toString('base64url')

const password = 'correct horse battery'
const people = 200

/** p99 of proxied requests in milliseconds: alone, and while 200 people try to log in all the time; and how many did, a second. */
export async function besideLogins(
  t: Cleanup,
  { isQuick }: BenchOptions,
): Promise<{ alone: number; beside: number; logins: number }> {
  const folder = workFolder(t)
  folder.write(
    'velum.config.yaml',
    readFileSync(new URL('../test/e2e/login.yaml', import.meta.url), 'utf8')
      .replace(', tls: { dev: true }', '')
      .replace(/^log:/m, 'trustedProxies: [127.0.0.1/32]\nlog:')
      .replace('routes:', 'routes:\n  - { name: open, match: { path: /open }, to: orders, auth: public }'),
  )
  await addPeople(folder.path)
  const options = { folder: folder.path, env: { UPSTREAM: await serviceFor(t) } }
  const { web } = await readyListeners(startVelum(t, ['run', '--workers', '1'], options))
  const roundMs = isQuick ? 2000 : 6000
  const open = (): Promise<Reply> => send(t, web, '/open')
  await roundsOf(16, 1000, open)
  const alone: number[] = []
  const beside: number[] = []
  let logins = 0
  let began = 0
  let loginMs = 0
  // In turns, so that a machine that grows slower does so for both.
  for (let round = 0; round < 3; round++) {
    alone.push(p99(await roundsOf(16, roundMs, open)))
    began = performance.now()
    const [requests, tries] = await Promise.all([roundsOf(16, roundMs, open), roundsOf(people, roundMs, (i) => logIn(t, web, i))])
    loginMs += performance.now() - began
    beside.push(p99(requests))
    logins += tries.filter(({ status }) => status === 200).length
  }
  return { alone: median(alone), beside: median(beside), logins: (logins / loginMs) * 1000 }
}

/** In the store of a gateway that does not run yet; all have one password. */
async function addPeople(folder: string): Promise<void> {
  const clock = systemClock
  const passwords = new PasswordThreads({ clock })
  const { stores } = await openSqliteStores({ folder: join(folder, '.velum'), name: 'bench', clock, log: silentLog })
  const users = new Users(stores, clock)
  const phc = await passwords.hash(password)
  for (let i = 0; i < people; i++) {
    await users.add({ name: `person-${i}`, password: phc, roles: [], tenant: undefined, subject: undefined })
  }
  await stores.close()
  await passwords.close()
}

interface Reply {
  readonly status: number
  readonly ms: number
}

/** Whoever is told to come again later does so. */
async function logIn(t: Cleanup, web: string, person: number): Promise<Reply> {
  const form = `username=person-${person}&password=${encodeURIComponent(password)}`
  const reply = await send(t, web, '/auth/login', form, `10.0.0.${person}`)
  if (reply.status === 503) await new Promise((resolve) => setTimeout(resolve, 1000))
  else if (reply.status !== 200) throw new Error(`a login was answered with ${reply.status}`)
  return reply
}

/** Clients that ask one thing after the other for so long. */
async function roundsOf(clients: number, ms: number, ask: (client: number) => Promise<Reply>): Promise<Reply[]> {
  const until = performance.now() + ms
  const replies: Reply[] = []
  await Promise.all(
    Array.from({ length: clients }, async (_, i) => {
      while (performance.now() < until) replies.push(await ask(i))
    }),
  )
  return replies
}

function p99(replies: readonly Reply[]): number {
  return quantile(
    replies.map(({ ms }) => ms).sort((a, b) => a - b),
    0.99,
  )
}

let agent: Agent | undefined

function send(t: Cleanup, base: string, path: string, form?: string, from = '10.1.0.1'): Promise<Reply> {
  if (agent === undefined) {
    agent = new Agent({ keepAlive: true })
    t.after(() => agent?.destroy())
  }
  const headers = {
    accept: 'application/json',
    'sec-fetch-site': 'same-origin',
    'x-forwarded-for': from,
    ...(form === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
  }
  const began = performance.now()
  return new Promise((resolve, reject) => {
    request(new URL(path, base), { agent, method: form === undefined ? 'GET' : 'POST', headers }, (response) => {
      response.resume().on('end', () => resolve({ status: response.statusCode!, ms: performance.now() - began }))
    })
      .on('error', reject)
      .end(form)
  })
}

async function serviceFor(t: Cleanup): Promise<string> {
  const server = createServer((_incoming, response) => void response.end('served')).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
