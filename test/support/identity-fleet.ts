import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { systemClock } from '../../src/core/clock.ts'
import { silentLog } from '../../src/core/log.ts'
import type { Stores } from '../../src/core/stores.ts'
import { newCredential, secretHash } from '../../src/identity/credential-text.ts'
import { sessionRecord } from '../../src/identity/session-record.ts'
import { openRedisStores } from '../../src/stores/redis/redis-stores.ts'
import { serviceOf } from './http-service.ts'
import { readyListeners, runCommand, startVelum, workFolder } from './velum-process.ts'
import type { Cleanup, VelumProcess } from './velum-process.ts'

/** The configuration of every node: `test/e2e/identity.yaml` on a Redis. */
export const fleetConfig = `${readFileSync(new URL('../e2e/identity.yaml', import.meta.url), 'utf8')}
store: { kind: redis, url: '\${REDIS}' }
secret: ['a secret of the fleet that is long enough']
`

/** The token that the admin APIs of a fleet's nodes know. */
export const adminToken = 'an-admin-token-of-the-fleet-for-tests'

/** A node of a fleet, as its clients see it. */
export interface FleetNode {
  readonly base: string
  readonly admin: string
  readonly velum: VelumProcess
  ask(path: string, request?: FleetRequest): Promise<Told>
}

export interface FleetRequest {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  /** Sent as a form. */
  readonly form?: Readonly<Record<string, string>>
}

/** An answer, and how long it took. */
export interface Told {
  readonly status: number
  readonly headers: Headers
  readonly content: string
  /** When it was asked for, and when it was complete: `performance.now()`. */
  readonly askedAt: number
  readonly toldAt: number
}

/** What every node of a fleet needs from its environment. */
export function fleetEnv(redisUrl: string, upstream: string): Record<string, string> {
  const secretHash256 = createHash('sha256').update('hush').digest('hex')
  return { REDIS: redisUrl, UPSTREAM: upstream, SECRET_HASH: secretHash256, VELUM_ADMIN_TOKEN: adminToken }
}

/** A service that says `served` to everything. */
export function upstreamOf(t: Cleanup): Promise<string> {
  return serviceOf(t, (incoming, response) => void incoming.resume().on('end', () => response.end('served')))
}

/** Starts a gateway process of its own, with one worker. */
export async function startNode(t: Cleanup, env: Record<string, string>, config = fleetConfig): Promise<FleetNode> {
  const folder = workFolder(t)
  folder.write('velum.config.yaml', config)
  const velum = startVelum(t, ['run', '--workers', '1'], { folder: folder.path, env })
  const { web: base } = await readyListeners(velum)
  const [line] = await velum.printed(/^\{.*"msg":"the gateway is ready".*\}$/m)
  const { admin } = JSON.parse(line) as { admin: string }
  return { base, admin, velum, ask: (path, request) => ask(base, path, request) }
}

/** Adds a person who logs in by password, from a process beside the gateways. */
export async function addUser(t: Cleanup, env: Record<string, string>, name: string, password: string): Promise<void> {
  const folder = workFolder(t)
  folder.write('velum.config.yaml', fleetConfig)
  const options = { folder: folder.path, env, input: password }
  const { code, err } = await runCommand(['user', 'add', name, '--password-stdin', '--roles', 'staff'], options)
  if (code !== 0) throw new Error(err)
}

/** One request with nothing but what it says. */
export async function ask(base: string, path: string, { method, headers = {}, form }: FleetRequest = {}): Promise<Told> {
  const askedAt = performance.now()
  const response = await fetch(new URL(path, base), {
    method: method ?? (form === undefined ? 'GET' : 'POST'),
    headers,
    redirect: 'manual',
    ...(form === undefined ? {} : { body: new URLSearchParams(form) }),
  })
  const content = await response.text()
  return { status: response.status, headers: response.headers, content, askedAt, toldAt: performance.now() }
}

/** Opens the fleet's store beside its nodes. */
export async function withStores<T>(url: string, use: (stores: Stores) => Promise<T>): Promise<T> {
  const { stores } = await openRedisStores({ url, clock: systemClock, log: silentLog, answerMs: 10_000 })
  try {
    return await use(stores)
  } finally {
    await stores.close()
  }
}

/** Sessions of one subject in the store; gives their cookies. */
export function seedSessions(url: string, count: number): Promise<string[]> {
  return withStores(url, async (stores) => {
    const cookies: string[] = []
    const now = Date.now()
    for (let i = 0; i < count; i++) {
      const { id, secret, text } = newCredential()
      const times = { startedAt: now, seenAt: now, endsAt: now + 3_600_000 }
      const who = { subject: 'user-1', roles: ['staff'], methods: ['pwd'], generation: 0, device: 'Test', address: '' }
      const value = { secret: secretHash(secret), ...who, ...times }
      await stores.records.create(sessionRecord(id, value, { idleMs: 1_800_000, absoluteMs: 3_600_000, sameSite: 'lax' }))
      cookies.push(`__Host-Http-velum=${text}`)
    }
    return cookies
  })
}

/** A token of the client `worker`. */
export async function clientToken(node: FleetNode): Promise<string> {
  const form = { grant_type: 'client_credentials', client_id: 'worker', client_secret: 'hush' }
  const { content } = await node.ask('/auth/token', { form })
  return (JSON.parse(content) as { access_token: string }).access_token
}
