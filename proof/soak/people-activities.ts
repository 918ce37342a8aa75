import { setTimeout as sleep } from 'node:timers/promises'
import type { Caller, Reply } from './callers.ts'
import type { Activity, World } from './world.ts'
import { asked, expectStatus } from './world.ts'

export const people = Array.from({ length: 20 }, (_, i) => `person-${i}`)
export const password = 'correct horse battery staple'
/** What is ended anywhere is refused everywhere after so long (decision 0015). */
export const revokedWithinMs = 1000

/** How often something was asked for after its end, when the bound was over. */
export const ended = { asked: 0, admitted: 0 }

/**
 * Makes the people that log in. At once, so that all threads that hash passwords are there before the first reading: each
 * starts when a password finds those before it busy, which by logins alone may take half an hour.
 */
export async function createPeople({ admin }: World): Promise<void> {
  await Promise.all(
    people.map(async (name) => {
      const { status, text } = await admin.call('POST', '/api/users', { name, password, roles: ['staff'], tenant: 'acme' })
      if (status !== 201) throw new Error(`a person could not be made: ${status} ${text}`)
    }),
  )
}

/** People with sessions, programs with tokens and keys; what they end is asked for again when it must be refused. */
export function peopleActivities(world: World): Activity[] {
  const { callers, ledger, admin } = world
  let n = 0
  const either = (): Caller => (++n % 2 === 0 ? callers.http2 : callers.http1Secure)
  const post = (path: string, fields: object, headers: Record<string, string> = {}): Promise<Reply> =>
    either().ask({
      method: 'POST',
      path,
      headers: { 'content-type': 'application/json', 'sec-fetch-site': 'same-origin', ...headers },
      body: Buffer.from(JSON.stringify(fields)),
    })
  const form = (path: string, fields: Record<string, string>): Promise<Reply> =>
    either().ask({
      method: 'POST',
      path,
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: Buffer.from(new URLSearchParams(fields).toString()),
    })
  /** Asked on every worker, as far as chance goes: several times, on new connections too. */
  const mustBeRefused = async (name: string, headers: Record<string, string>, path = '/private'): Promise<void> => {
    await sleep(revokedWithinMs)
    for (const caller of [callers.http1Secure, callers.http2, callers.http1Fresh]) {
      ended.asked++
      const reply = await asked(world, name, caller, { path, headers }, { status: 401, arrival: 'never', isSealed: false })
      if (reply?.status === 200) ended.admitted++
    }
  }
  const login = async (name: string, deliver: string): Promise<Reply | undefined> => {
    const reply = await post('/auth/login', { username: people[++n % people.length], password, deliver })
    return expectStatus(world, name, 'login', reply.status, 200) ? reply : undefined
  }

  return [
    {
      name: 'session',
      perSecond: 1,
      async run() {
        const name = 'session'
        const reply = await login(name, 'session')
        if (reply === undefined) return
        const headers = { cookie: cookieOf(reply) }
        for (let i = 0; i < 4; i++) {
          await asked(world, name, either(), { path: `/private?seed=${n}`, headers })
          await sleep(200 * Math.random())
        }
        if (n % 8 === 0) return // some just leave
        const out = await post('/auth/logout', {}, headers)
        if (!expectStatus(world, name, 'logout', out.status, 204)) return
        await mustBeRefused(name, headers)
      },
    },
    {
      name: 'tokens',
      perSecond: 0.7,
      async run() {
        const name = 'tokens'
        const reply = await login(name, 'token')
        if (reply === undefined) return
        let tokens = JSON.parse(reply.body.toString()) as { access_token: string; refresh_token: string }
        for (let i = 0; i < 3; i++) {
          const headers = { authorization: `Bearer ${tokens.access_token}` }
          await asked(world, name, either(), { path: `/private?seed=${n}`, headers })
          const fresh = await form('/auth/token', { grant_type: 'refresh_token', refresh_token: tokens.refresh_token })
          if (!expectStatus(world, name, 'refresh', fresh.status, 200)) return
          tokens = JSON.parse(fresh.body.toString()) as typeof tokens
          ledger.tally('refreshes').good++
        }
        const headers = { authorization: `Bearer ${tokens.access_token}` }
        await asked(world, name, either(), { path: '/private', headers })
        const { status } = await admin.call('POST', '/api/tokens/inspect', { token: tokens.access_token })
        expectStatus(world, name, 'inspection', status, 200)
        const claims = JSON.parse(Buffer.from(tokens.access_token.split('.')[1], 'base64url').toString()) as {
          sid?: string
          jti: string
          iss: string
        }
        const order = { kind: 'token', issuer: claims.iss, id: claims.jti }
        if (!expectStatus(world, name, 'revocation', (await admin.call('POST', '/api/revocations', order)).status, 204)) return
        await mustBeRefused(name, headers)
      },
    },
    {
      name: 'API key',
      perSecond: 0.4,
      async run() {
        const name = 'API key'
        const made = await admin.call('POST', '/api/keys', { client: `program-${++n}` })
        if (!expectStatus(world, name, 'creation', made.status, 201)) return
        const { key, id } = JSON.parse(made.text) as { key: string; id: string }
        const headers = { 'x-api-key': key }
        for (let i = 0; i < 3; i++) await asked(world, name, callers.http1, { path: `/keyed?seed=${n}`, headers })
        if (!expectStatus(world, name, 'end', (await admin.call('DELETE', `/api/keys/${id}`)).status, 200)) return
        await mustBeRefused(name, headers, '/keyed')
      },
    },
  ]
}

function cookieOf({ headers }: Reply): string {
  const lines = headers['set-cookie'] ?? []
  return (typeof lines === 'string' ? [lines] : lines).map((line) => line.slice(0, line.indexOf(';'))).join('; ')
}
