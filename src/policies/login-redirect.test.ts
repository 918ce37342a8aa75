import assert from 'node:assert/strict'
import { test } from 'node:test'
import { emptyAnswer } from '../core/answer.ts'
import type { Answer } from '../core/answer.ts'
import { compose } from '../core/pipeline.ts'
import { exchangeOf } from '../../test/support/exchange.ts'
import type { ExchangeParts } from '../../test/support/exchange.ts'
import { policyEnv } from '../../test/support/policy-env.ts'
import { rejections } from '../identity/rejection.ts'
import { auth } from './auth.ts'

const page = ['Accept', 'text/html,application/xhtml+xml', 'Sec-Fetch-Mode', 'navigate', 'Sec-Fetch-Dest', 'document']

async function ask(parts: ExchangeParts, found = rejections['unknown-session'], presented?: string): Promise<Answer> {
  const session = { kind: 'session', presented: () => presented, verify: () => found } as const
  const env = policyEnv({ authenticators: { session }, loginPath: '/auth/login' })
  const built = auth.build({ mode: 'required', any: ['session'], scopes: [], roles: [], claims: [] }, env)!
  return compose(built.policies, () => emptyAnswer(200))(exchangeOf(parts))
}

test('who navigates without a session is led to the login page, and back', async () => {
  for (const presented of [undefined, 'a dead cookie']) {
    const answer = await ask({ target: '/orders?page=2&q=a%20b', headers: page }, undefined, presented)
    assert.equal(answer.status, 302)
    assert.equal(answer.headers.get('location'), '/auth/login?return_to=%2Forders%3Fpage%3D2%26q%3Da%2520b')
    assert.equal(answer.headers.get('cache-control'), 'no-store')
    assert.equal(answer.headers.get('content-type'), undefined)
    assert.equal(answer.body.size, 0)
  }
})

test('an old browser is known by what it accepts', async () => {
  assert.equal((await ask({ headers: ['Accept', 'text/html,*/*;q=0.8'] })).status, 302)
})

const others: readonly (readonly [title: string, parts: ExchangeParts])[] = [
  ['a script', { headers: ['Accept', '*/*', 'Sec-Fetch-Mode', 'cors'] }],
  ['a script that wants HTML', { headers: ['Accept', 'text/html', 'Sec-Fetch-Mode', 'cors'] }],
  ['a program', { headers: ['Accept', '*/*'] }],
  ['a program that says nothing', {}],
  ['a form that was posted', { method: 'POST', headers: page }],
  ['HEAD', { method: 'HEAD', headers: page }],
  ['a WebSocket', { headers: page, upgrade: 'websocket' }],
  ['who brings another credential', { headers: [...page, 'Authorization', 'Bearer x'] }],
]
for (const [title, parts] of others) test(`${title} gets its 401`, async () => assert.equal((await ask(parts)).status, 401))
