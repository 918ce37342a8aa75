import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exchangeOf } from '../../test/support/exchange.ts'
import { optionFaults } from '../../test/support/option-faults.ts'
import { CountingMeter, policyEnv } from '../../test/support/policy-env.ts'
import type { Answer } from '../core/answer.ts'
import type { Exchange } from '../core/exchange.ts'
import type { MaybePromise } from '../core/handler.ts'
import { H } from '../core/header-names.ts'
import type { Identity } from '../core/identity.ts'
import type { DecideMode, Policy } from '../core/policy.ts'
import { problems, renderHttpProblem } from '../core/problem.ts'
import type { Verdict } from '../core/verdict.ts'
import type { Authenticators } from '../identity/authenticators.ts'
import { KnownIdentity } from '../identity/known-identity.ts'
import { keysUnavailable, rejections } from '../identity/rejection.ts'
import type { Rejection } from '../identity/rejection.ts'
import { auth } from './auth.ts'
import type { AuthInput } from './auth.ts'

function identityOf(changes: Partial<Identity> = {}): Identity {
  return new KnownIdentity({
    kind: 'bearer',
    issuer: 'https://issuer.example.com',
    subject: 'user-1',
    tenant: undefined,
    client: undefined,
    scopes: [],
    roles: [],
    expiresAt: Infinity,
    session: undefined,
    credentialId: undefined,
    ...changes,
  })
}

const tokens = new Map<string, MaybePromise<Identity | Rejection>>([
  [
    'good',
    identityOf({
      scopes: ['orders:read', 'orders:write'],
      roles: ['staff'],
      claims: { level: 3, groups: ['a', 'b'], plan: 'pro' },
    }),
  ],
  ['plain', identityOf()],
  ['late', Promise.resolve(identityOf({ subject: 'late' }))],
  ['undecided', keysUnavailable],
])

const authenticators: Authenticators = {
  bearer: {
    kind: 'bearer',
    presented: (x) => {
      const line = x.headers.single(H.authorization)
      return typeof line === 'string' ? line.replace('Bearer ', '') : line
    },
    verify: (token) => tokens.get(token) ?? rejections.expired,
  },
  'api-key': {
    kind: 'api-key',
    presented: (x) => x.headers.single(H.apiKey),
    verify: (key) => (key === 'good' ? identityOf({ kind: 'api-key', subject: 'worker' }) : rejections['unknown-api-key']),
  },
}

/** The policies of an auth setting, with a way to ask them one after the other as the pipeline would. */
function built(input: AuthInput): {
  policies: readonly Policy[]
  meter: CountingMeter
  ask: (x: Exchange, mode?: DecideMode) => Promise<Verdict>
} {
  const meter = new CountingMeter()
  const policies = auth.build(auth.options.parse(input), policyEnv({ authenticators, meter }))?.policies ?? []
  return {
    policies,
    meter,
    ask: async (x, mode = 'charge') => {
      let verdict: Verdict = { code: 'nothing asked', refusal: undefined }
      for (const policy of policies) {
        verdict = await policy.decide!(x, mode)
        if (verdict.refusal !== undefined) break
      }
      return verdict
    },
  }
}

const withHeaders = (...headers: string[]): Exchange => exchangeOf({ headers })
const bearer = (token: string): Exchange => withHeaders('authorization', `Bearer ${token}`)

function answerTo(verdict: Verdict, x = exchangeOf()): Answer {
  return renderHttpProblem(verdict.refusal!, x)
}

const statusOf = (verdict: Verdict): number => (verdict.refusal === undefined ? 200 : problems[verdict.refusal.name].status)

test('a public route reads no credential: there is nothing in its chain', () => {
  assert.deepEqual(built('public').policies, [])
})

test('a valid credential says who is calling, without waiting', () => {
  const { policies } = built({ any: ['bearer'] })
  const x = bearer('good')
  const verdict = policies[0].decide!(x, 'charge') as Verdict
  assert.equal(verdict.code, 'valid')
  assert.equal(x.identity!.subject, 'user-1')
})

test('a credential that has to be waited for is waited for', async () => {
  const { policies } = built({ any: ['bearer'] })
  const x = bearer('late')
  const verdict = policies[0].decide!(x, 'charge')
  assert.ok(verdict instanceof Promise)
  assert.equal(x.identity, undefined)
  assert.equal((await verdict).code, 'valid')
  assert.equal(x.identity!.subject, 'late')
})

test('no credential is 401 with a challenge for each kind that is accepted', async () => {
  const verdict = await built({ any: ['api-key', 'bearer'] }).ask(withHeaders())
  const answer = answerTo(verdict)
  assert.equal(verdict.code, 'no-credential')
  assert.equal(answer.status, 401)
  assert.deepEqual(answer.headers.all('www-authenticate'), ['Bearer realm="api"', 'ApiKey realm="api"'])
})

test('a credential of a kind that is not accepted is as good as none', async () => {
  assert.equal((await built({ any: ['api-key'] }).ask(bearer('good'))).code, 'no-credential')
  const x = withHeaders('x-api-key', 'wrong')
  assert.equal((await built({ any: ['bearer'], optional: true }).ask(x)).code, 'anonymous')
  assert.equal(x.identity, undefined)
})

test('an invalid token is 401 and says so, but not why', async () => {
  const verdict = await built({ any: ['bearer', 'api-key'] }).ask(bearer('bad'))
  const answer = answerTo(verdict)
  assert.equal(verdict.code, 'expired')
  assert.match(verdict.words!(), /has expired/)
  assert.equal(answer.status, 401)
  assert.deepEqual(answer.headers.all('www-authenticate'), ['Bearer realm="api", error="invalid_token"', 'ApiKey realm="api"'])
  assert.doesNotMatch(answer.body.bytes!.toString(), /expired/)
})

test('an invalid credential is refused, whatever else was sent: nothing falls through', async () => {
  const { ask } = built({ any: ['bearer', 'api-key'] })
  const x = withHeaders('x-api-key', 'good', 'authorization', 'Bearer bad')
  assert.equal((await ask(x)).code, 'expired')
  assert.equal(x.identity, undefined)
})

test('the first kind in the fixed order counts, in whatever order they are written', async () => {
  const x = withHeaders('x-api-key', 'good', 'authorization', 'Bearer good')
  await built({ any: ['api-key', 'bearer'] }).ask(x)
  assert.equal(x.identity!.kind, 'bearer')
  const other = withHeaders('x-api-key', 'wrong', 'authorization', 'Bearer good')
  assert.equal((await built({ any: ['api-key', 'bearer'] }).ask(other)).code, 'valid', 'the key is ignored')
})

test('a credential given twice is 400, unless another one counts', async () => {
  const { ask, meter } = built({ any: ['bearer', 'api-key'] })
  const twice = withHeaders('authorization', 'Bearer good', 'authorization', 'Bearer good')
  const verdict = await ask(twice)
  assert.equal(verdict.code, 'duplicate-credential')
  assert.equal(answerTo(verdict).status, 400)
  assert.equal(twice.identity, undefined)
  assert.equal((await ask(withHeaders('x-api-key', 'good', 'x-api-key', 'good'))).code, 'duplicate-credential')
  assert.equal((await ask(withHeaders('authorization', 'Bearer good', 'x-api-key', 'a', 'x-api-key', 'b'))).code, 'valid')
  assert.equal(meter.counts.get('velum_auth_total bearer repeated'), 1)
})

test('where auth is optional, none is anonymous and an invalid one still 401', async () => {
  const { ask } = built({ any: ['bearer'], optional: true })
  const x = withHeaders()
  assert.equal((await ask(x)).code, 'anonymous')
  assert.equal(x.identity, undefined)
  assert.equal(statusOf(await ask(bearer('bad'))), 401)
  assert.equal((await ask(bearer('good'))).code, 'valid')
})

test('a credential that cannot be judged is 503 with Retry-After, not 401', async () => {
  const { ask, meter } = built({ any: ['bearer'] })
  const verdict = await ask(bearer('undecided'))
  const answer = answerTo(verdict)
  assert.equal(verdict.code, 'keys-unavailable')
  assert.equal(answer.status, 503)
  assert.equal(answer.headers.get('retry-after'), '1')
  assert.equal(answer.headers.get('www-authenticate'), undefined)
  assert.equal(meter.counts.get('velum_auth_total bearer undecided'), 1)
})

const needs: readonly (readonly [name: string, needs: Omit<Exclude<AuthInput, 'public'>, 'any'>, token: string, code: string])[] = [
  ['all scopes', { scopes: ['orders:read', 'orders:write'] }, 'good', 'granted'],
  ['a scope that is missing', { scopes: ['orders:read', 'billing:read'] }, 'good', 'missing-scope'],
  ['a scope that only begins alike', { scopes: ['orders'] }, 'good', 'missing-scope'],
  ['one of several roles', { roles: ['admin', 'staff'] }, 'good', 'granted'],
  ['none of the roles', { roles: ['admin'] }, 'good', 'missing-role'],
  ['roles of somebody without any', { roles: ['staff'] }, 'plain', 'missing-role'],
  ['a claim that is equal', { claims: { plan: 'pro' } }, 'good', 'granted'],
  ['a claim that is one of those listed', { claims: { plan: ['free', 'pro'] } }, 'good', 'granted'],
  ['another claim', { claims: { plan: 'free' } }, 'good', 'other-claim'],
  ['every claim', { claims: { plan: 'pro', level: 4 } }, 'good', 'other-claim'],
  ['a number is not its text', { claims: { level: '3' } }, 'good', 'other-claim'],
  ['a number', { claims: { level: 3 } }, 'good', 'granted'],
  ['a list that holds the value', { claims: { groups: 'b' } }, 'good', 'granted'],
  ['a list that does not', { claims: { groups: ['c', 'd'] } }, 'good', 'other-claim'],
  ['a claim that is not there', { claims: { plan: 'pro' } }, 'plain', 'other-claim'],
  ['a claim named like a member of every object', { claims: { constructor: 'x' } }, 'plain', 'other-claim'],
  [
    'all three, of which one is missing',
    { scopes: ['orders:read'], roles: ['staff'], claims: { plan: 'free' } },
    'good',
    'other-claim',
  ],
]

for (const [name, need, token, code] of needs) {
  test(`authorises by ${name}: ${code}`, async () => {
    const verdict = await built({ any: ['bearer'], ...need }).ask(bearer(token))
    assert.equal(verdict.code, code)
    assert.equal(statusOf(verdict), code === 'granted' ? 200 : 403)
  })
}

test('authenticate and authorise are two stages, and there is no second one when nothing is asked for', () => {
  assert.deepEqual(
    built({ any: ['bearer'] }).policies.map(({ stage }) => stage),
    ['authenticate'],
  )
  assert.deepEqual(
    built({ any: ['bearer'], scopes: ['a'] }).policies.map(({ stage }) => stage),
    ['authenticate', 'authorise'],
  )
})

test('a token that lacks a scope is told which ones a new token would need; a key is not', async () => {
  const { ask, meter } = built({ any: ['bearer', 'api-key'], scopes: ['orders:read', 'billing:read'] })
  const answer = answerTo(await ask(bearer('plain')))
  assert.equal(
    answer.headers.get('www-authenticate'),
    'Bearer realm="api", error="insufficient_scope", scope="orders:read billing:read"',
  )
  const byKey = await ask(withHeaders('x-api-key', 'good'))
  assert.equal(answerTo(byKey).status, 403)
  assert.equal(answerTo(byKey).headers.get('www-authenticate'), undefined)
  assert.equal(meter.counts.get('velum_auth_forbidden_total test'), 2)
})

test('a peek decides the same and counts nothing', async () => {
  const { ask, meter } = built({ any: ['bearer', 'api-key'], scopes: ['orders:read'] })
  for (const x of [
    bearer('good'),
    bearer('bad'),
    bearer('plain'),
    bearer('undecided'),
    withHeaders(),
    withHeaders('x-api-key', 'a', 'x-api-key', 'b'),
  ]) {
    const peeked = await ask(x, 'peek')
    assert.equal(meter.counts.size, 0)
    x.identity = undefined
    assert.equal(await ask(x), peeked)
    meter.counts.clear()
  }
})

test('a peek believes an identity that it was given; a request cannot bring one', async () => {
  const { ask } = built({ any: ['bearer'], roles: ['admin'] })
  const x = withHeaders()
  x.identity = identityOf({ roles: ['admin'] })
  assert.equal((await ask(x, 'peek')).code, 'granted')
  assert.equal((await ask(x)).code, 'no-credential')
})

test('a peek behind a failed authentication says that nobody is known', async () => {
  const { policies } = built({ any: ['bearer'], scopes: ['a'] })
  const verdict = await policies[1].decide!(withHeaders(), 'peek')
  assert.equal(verdict.code, 'nobody')
  assert.equal(statusOf(verdict), 401)
})

test('counts what came of each credential', async () => {
  const { ask, meter } = built({ any: ['bearer', 'api-key'] })
  for (const x of [bearer('good'), bearer('good'), bearer('bad'), withHeaders('x-api-key', 'good'), withHeaders()]) await ask(x)
  assert.deepEqual(Object.fromEntries(meter.counts), {
    'velum_auth_total bearer valid': 2,
    'velum_auth_total bearer invalid': 1,
    'velum_auth_total api-key valid': 1,
    'velum_auth_total none absent': 1,
  })
})

test('verdicts are made once, so that a flood of refusals makes no garbage', async () => {
  const { ask } = built({ any: ['bearer'] })
  assert.equal(await ask(bearer('bad')), await ask(bearer('worse')))
  assert.equal(await ask(withHeaders()), await ask(withHeaders()))
})

test('a setting that contradicts itself, or names what there is not, is a mistake', () => {
  const rows: readonly (readonly [input: unknown, path: string])[] = [
    [{ any: ['bearer'], optional: true, scopes: ['a'] }, 'optional'],
    [{ any: [] }, 'any'],
    [{ any: ['bearer', 'digest'] }, 'any.1'],
    [{ any: ['bearer'], scopes: ['two words'] }, 'scopes.0'],
    [{ any: ['bearer'], claims: { plan: null } }, 'claims.plan'],
    [{ any: ['bearer'], scope: ['a'] }, ''],
    ['open', ''],
    [{}, 'any'],
  ]
  for (const [input, path] of rows) {
    const faults = optionFaults(auth.options, input)
    assert.ok(
      faults.some((fault) => fault.startsWith(`${path}: `)),
      `${JSON.stringify(input)}: ${faults.join('; ')}`,
    )
  }
  assert.deepEqual(auth.options.parse({ any: ['api-key', 'bearer', 'bearer'] }).any, ['bearer', 'api-key'])
  const needed = { mode: 'required', any: ['basic'], scopes: [], roles: [], claims: [] } as const
  assert.throws(() => auth.build(needed, policyEnv({ authenticators })), /routes\[0\]\.test\.any: basic is not available yet/)
})
