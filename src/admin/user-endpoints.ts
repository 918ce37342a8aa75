import type { Answer } from '../core/answer.ts'
import { jsonAnswer } from '../core/answer.ts'
import { readAll } from '../core/body.ts'
import type { Exchange } from '../core/exchange.ts'
import { faultFrom } from '../core/fault.ts'
import { headerBlock } from '../core/headers.ts'
import type { Problem, ProblemName } from '../core/problem.ts'
import { httpProblem, problemOf } from '../core/problem.ts'
import type { Gateway } from '../gateway/gateway.ts'
import { HashQueueFull } from '../identity/login/password-threads.ts'
import type { UserAdmin } from '../identity/login/user-admin.ts'
import { UserFault } from '../identity/login/user-admin.ts'
import type { UserRow } from '../identity/login/users.ts'
import { parseStrictJson } from '../lib/strict-json.ts'
import type { Endpoint } from './endpoint.ts'

const maxBodyBytes = 32_768

type Fields = Readonly<Record<string, unknown>>

/** People who log in by password, and what tokens are; 404 while the configuration names no issuer. */
export function userEndpoints(gateway: Gateway): readonly Endpoint[] {
  const roles = ['admin'] as const
  const withUsers = (run: (users: UserAdmin, x: Exchange) => Promise<Answer>): Endpoint['handle'] => {
    return async (x) => {
      const { users } = gateway
      if (users === undefined) return httpProblem({ name: 'no-route', detail: 'The configuration has no identity.issuer.' }, x.id)
      try {
        return await run(users, x)
      } catch (thrown) {
        return httpProblem(problemFor(thrown), x.id)
      }
    }
  }
  const post = (path: string, status: number, run: (users: UserAdmin, fields: Fields) => Promise<unknown>): Endpoint => ({
    method: 'POST',
    path,
    roles,
    handle: withUsers(async (users, x) => jsonAnswer(status, await run(users, await fieldsOf(x)))),
  })
  return [
    {
      method: 'GET',
      path: '/api/users',
      roles,
      handle: withUsers(async (users) => jsonAnswer(200, { users: (await users.list()).map(readable) })),
    },
    post('/api/users', 201, async (users, fields) => {
      const order = {
        name: text(fields, 'name'),
        password: text(fields, 'password'),
        roles: texts(fields, 'roles'),
        tenant: optionalText(fields, 'tenant'),
        subject: optionalText(fields, 'subject'),
      }
      return readable(await users.add(order))
    }),
    post('/api/users/password', 200, async (users, fields) =>
      readable(await users.setPassword(text(fields, 'name'), text(fields, 'password'))),
    ),
    post('/api/users/disable', 200, async (users, fields) => readable(await users.disable(text(fields, 'name')))),
    post('/api/users/enable', 200, async (users, fields) => readable(await users.enable(text(fields, 'name')))),
    post('/api/tokens/inspect', 200, async (_users, fields) => gateway.inspectToken(text(fields, 'token'))),
  ]
}

function readable({ createdAt, passwordAt, ...row }: UserRow): unknown {
  return { ...row, createdAt: new Date(createdAt).toISOString(), passwordAt: new Date(passwordAt).toISOString() }
}

async function fieldsOf(x: Exchange): Promise<Fields> {
  const value = parseStrictJson(await readAll(x.body, maxBodyBytes))
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new UserFault('invalid', 'the body is no JSON object')
  return value as Fields
}

function text(fields: Fields, name: string): string {
  const value = fields[name]
  if (typeof value !== 'string') throw new UserFault('invalid', `"${name}" is missing, or no text`)
  return value
}

function optionalText(fields: Fields, name: string): string | undefined {
  return fields[name] === undefined ? undefined : text(fields, name)
}

function texts(fields: Fields, name: string): readonly string[] {
  const value = fields[name] ?? []
  if (!Array.isArray(value) || !value.every((one) => typeof one === 'string'))
    throw new UserFault('invalid', `"${name}" is no list of texts`)
  return value
}

const problemNames: Readonly<Record<UserFault['kind'], ProblemName>> = {
  unknown: 'no-route',
  taken: 'invalid-content',
  invalid: 'invalid-content',
}

function problemFor(thrown: unknown): Problem {
  if (thrown instanceof UserFault) return { name: problemNames[thrown.kind], detail: `${thrown.message}.` }
  if (thrown instanceof HashQueueFull) {
    const seconds = Math.max(1, Math.ceil(thrown.retryAfterMs / 1000))
    return { name: 'reduced-capacity', headers: headerBlock([['retry-after', String(seconds)]]) }
  }
  const fault = faultFrom(thrown)
  if (fault.code === 'internal') throw fault
  return problemOf(fault)
}
