import type { Answer } from '../core/answer.ts'
import { jsonAnswer } from '../core/answer.ts'
import { readAll } from '../core/body.ts'
import type { Exchange } from '../core/exchange.ts'
import { faultFrom } from '../core/fault.ts'
import type { Problem } from '../core/problem.ts'
import { httpProblem, problemOf } from '../core/problem.ts'
import type { Gateway } from '../gateway/gateway.ts'
import type { ApiKeyAdmin, ApiKeyOrder, ApiKeyRow } from '../identity/api-key-admin.ts'
import { ApiKeyFault } from '../identity/api-key-admin.ts'
import { parseInstant } from '../lib/instant.ts'
import { parseStrictJson } from '../lib/strict-json.ts'
import type { Endpoint } from './endpoint.ts'
import { pathOf } from './endpoint.ts'

const maxBodyBytes = 32_768

/** An API key as the admin API and commands show it; times in ISO 8601, what is absent left out. */
export interface ApiKeyDocument {
  readonly id: string
  readonly client: string
  readonly subject: string
  readonly tenant: string | undefined
  readonly scopes: readonly string[]
  readonly roles: readonly string[]
  readonly addresses: readonly string[]
  readonly created: string
  readonly expires: string | undefined
  readonly lastUsed: string | undefined
  readonly lastUsedFrom: string | undefined
}

/** See `ApiKeyDocument`. */
export function apiKeyDocument({ createdAt, expiresAt, lastUsedAt, ...row }: ApiKeyRow): ApiKeyDocument {
  return { ...row, created: isoTime(createdAt)!, expires: isoTime(expiresAt), lastUsed: isoTime(lastUsedAt) }
}

function isoTime(at: number | undefined): string | undefined {
  return at === undefined || at === Infinity ? undefined : new Date(at).toISOString()
}

/** API keys for operators; 404 while the configuration names no issuer. A key's text is in the answer that makes it, once. */
export function apiKeyEndpoints(gateway: Gateway): readonly Endpoint[] {
  const roles = ['admin'] as const
  const withKeys = (run: (keys: ApiKeyAdmin, x: Exchange) => Promise<Answer>): Endpoint['handle'] => {
    return async (x) => {
      const { apiKeys } = gateway
      if (apiKeys === undefined) return httpProblem({ name: 'no-route', detail: 'The configuration has no identity.issuer.' }, x.id)
      try {
        return await run(apiKeys, x)
      } catch (thrown) {
        return httpProblem(problemFor(thrown), x.id)
      }
    }
  }
  return [
    {
      method: 'GET',
      path: '/api/keys',
      roles,
      handle: withKeys(async (keys) => jsonAnswer(200, { keys: (await keys.list()).map(apiKeyDocument) })),
    },
    {
      method: 'POST',
      path: '/api/keys',
      roles,
      handle: withKeys(async (keys, x) => {
        const { key, row } = await keys.create(parseOrder(parseStrictJson(await readAll(x.body, maxBodyBytes))))
        return jsonAnswer(201, { key, ...apiKeyDocument(row) })
      }),
    },
    {
      method: 'DELETE',
      path: '/api/keys/{id}',
      roles,
      handle: withKeys(async (keys, x) => {
        const path = pathOf(x)
        return jsonAnswer(200, apiKeyDocument(await keys.revoke(path.slice(path.lastIndexOf('/') + 1))))
      }),
    },
  ]
}

const orderNames = new Set(['client', 'subject', 'tenant', 'scopes', 'roles', 'addresses', 'expires'])

function parseOrder(value: unknown): ApiKeyOrder {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid('the body is no JSON object')
  const given = value as Readonly<Record<string, unknown>>
  for (const name of Object.keys(given)) {
    // What the server alone decides (id, secret, times) cannot be asked for.
    if (!orderNames.has(name)) throw invalid(`a key has no ${JSON.stringify(name.slice(0, 64))}`)
  }
  const text = (name: string): string | undefined => {
    const one = given[name]
    if (one !== undefined && typeof one !== 'string') throw invalid(`"${name}" is no text`)
    return one
  }
  const texts = (name: string): readonly string[] | undefined => {
    const list = given[name]
    if (list === undefined) return undefined
    if (!Array.isArray(list) || !list.every((one) => typeof one === 'string')) throw invalid(`"${name}" is no list of texts`)
    return list
  }
  const expires = text('expires')
  return {
    client: text('client') ?? '',
    subject: text('subject'),
    tenant: text('tenant'),
    scopes: texts('scopes'),
    roles: texts('roles'),
    addresses: texts('addresses'),
    expiresAt: expires === undefined ? undefined : parseExpiry(expires),
  }
}

function parseExpiry(text: string): number {
  if (text === 'never') return Infinity
  const at = parseInstant(text)
  if (at === undefined) throw invalid('"expires" is a date (2027-01-31), a time with its zone, or never')
  return at
}

function invalid(message: string): ApiKeyFault {
  return new ApiKeyFault('invalid', message)
}

function problemFor(thrown: unknown): Problem {
  if (thrown instanceof ApiKeyFault)
    return { name: thrown.kind === 'unknown' ? 'no-route' : 'invalid-content', detail: `${thrown.message}.` }
  const fault = faultFrom(thrown)
  if (fault.code === 'internal') throw fault
  return problemOf(fault)
}
