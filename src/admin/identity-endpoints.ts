import type { Answer } from '../core/answer.ts'
import { emptyAnswer, jsonAnswer } from '../core/answer.ts'
import { readAll } from '../core/body.ts'
import type { Exchange } from '../core/exchange.ts'
import { faultFrom } from '../core/fault.ts'
import { httpProblem, problemOf } from '../core/problem.ts'
import type { Gateway } from '../gateway/gateway.ts'
import type { IdentityAdmin, RevocationOrder } from '../identity/identity-admin.ts'
import type { SessionRow } from '../identity/sessions.ts'
import { parseStrictJson } from '../lib/strict-json.ts'
import type { Endpoint } from './endpoint.ts'
import { pathOf, queryOf } from './endpoint.ts'

const pageSize = 200
const maxBodyBytes = 4096

/** Sessions, revocations, keys and the audit log for operators; 404 while the configuration names no issuer. */
export function identityEndpoints(gateway: Gateway): readonly Endpoint[] {
  const withIdentity = (run: (admin: IdentityAdmin, x: Exchange) => Promise<Answer>): Endpoint['handle'] => {
    return async (x) => {
      const admin = gateway.identity
      if (admin === undefined) return httpProblem({ name: 'no-route', detail: 'The configuration has no identity.issuer.' }, x.id)
      try {
        return await run(admin, x)
      } catch (thrown) {
        const fault = faultFrom(thrown)
        if (fault.code === 'internal') throw fault
        return httpProblem(problemOf(fault), x.id)
      }
    }
  }
  const roles = ['admin'] as const
  return [
    {
      method: 'GET',
      path: '/api/sessions',
      roles,
      handle: withIdentity(async (admin, x) => {
        const query = queryOf(x)
        const subject = query.get('subject')
        if (subject !== null) return jsonAnswer(200, { sessions: (await admin.listOf(subject)).map(readable), next: '' })
        const { sessions, next } = await admin.list(query.get('cursor') ?? '', pageSize)
        return jsonAnswer(200, { sessions: sessions.map(readable), next })
      }),
    },
    {
      method: 'DELETE',
      path: '/api/sessions/{id}',
      roles,
      handle: withIdentity(async (admin, x) => {
        const path = pathOf(x)
        const isEnded = await admin.end(path.slice(path.lastIndexOf('/') + 1))
        return isEnded ? emptyAnswer(204) : httpProblem({ name: 'no-route', detail: 'There is no such session.' }, x.id)
      }),
    },
    {
      method: 'POST',
      path: '/api/revocations',
      roles,
      handle: withIdentity(async (admin, x) => {
        const order = parseOrder(parseStrictJson(await readAll(x.body, maxBodyBytes)))
        if (order === undefined) return httpProblem({ name: 'invalid-content', detail: orderForms }, x.id)
        await admin.revoke(order)
        return emptyAnswer(204)
      }),
    },
    {
      method: 'POST',
      path: '/api/keys/rotate',
      roles,
      handle: withIdentity(async () => jsonAnswer(200, { kid: await gateway.rotateKeys() })),
    },
    {
      method: 'GET',
      path: '/api/audit',
      roles,
      handle: withIdentity(async (admin, x) => {
        const { entries, next } = await admin.auditLog(queryOf(x).get('cursor') ?? '', pageSize)
        return jsonAnswer(200, {
          entries: entries.map(({ at, event, facts }) => ({ at: isoTime(at), event, facts })),
          next,
        })
      }),
    },
  ]
}

const orderForms =
  'Send one of { "kind": "token", "issuer", "id" }, { "kind": "session", "id" }, { "kind": "subject", "subject" }, { "kind": "client", "client" }, { "kind": "key", "keyId" }.'

const membersOf: Readonly<Record<RevocationOrder['kind'], readonly string[]>> = {
  token: ['issuer', 'id'],
  session: ['id'],
  subject: ['subject'],
  client: ['client'],
  key: ['keyId'],
}

function parseOrder(value: unknown): RevocationOrder | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const given = value as Readonly<Record<string, unknown>>
  const { kind } = given
  if (typeof kind !== 'string' || !Object.hasOwn(membersOf, kind)) return undefined
  const wanted = membersOf[kind as RevocationOrder['kind']]
  const isWhole = wanted.every((name) => typeof given[name] === 'string' && given[name] !== '' && given[name].length <= 256)
  return isWhole && Object.keys(given).length === wanted.length + 1 ? (given as unknown as RevocationOrder) : undefined
}

const isoTime = (at: number): string => new Date(at).toISOString()

function readable(row: SessionRow): unknown {
  const { startedAt, lastSeenAt, expiresAt } = row
  return { ...row, startedAt: isoTime(startedAt), lastSeenAt: isoTime(lastSeenAt), expiresAt: isoTime(expiresAt) }
}
