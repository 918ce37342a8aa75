import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { CredentialKind, Identity } from '../../core/identity.ts'
import { exchangeOf } from '../../../test/support/exchange.ts'
import { isForgeable } from './preflight.ts'

function forgeable(kind: CredentialKind | undefined, headers: readonly string[] = [], method = 'GET'): boolean {
  const x = exchangeOf({ method, target: '/graphql?query=%7Ba%7D', headers })
  x.identity = kind === undefined ? undefined : ({ kind } as Identity)
  return isForgeable(x)
}

suite('GET in the name of whom a browser sends along', () => {
  test('is refused without a sign that no page of another site made it', () => {
    assert.equal(forgeable('session'), true)
    assert.equal(forgeable('client-certificate', ['accept', 'application/json']), true)
    assert.equal(forgeable('session', ['sec-fetch-site', 'cross-site']), true)
    assert.equal(forgeable('session', ['sec-fetch-site', 'same-site']), true)
    assert.equal(forgeable('session', ['sec-fetch-site', 'none']), true)
    assert.equal(forgeable('session', ['content-type', 'text/plain']), true)
    assert.equal(forgeable('session', ['sec-fetch-site', 'same-origin', 'sec-fetch-site', 'same-origin']), true)
    assert.equal(forgeable('session', [], 'HEAD'), true)
  })

  test('passes with one, as does whatever needs a preflight or a credential that pages do not have', () => {
    assert.equal(forgeable('session', ['sec-fetch-site', 'same-origin']), false)
    assert.equal(forgeable('session', ['graphql-require-preflight', '1']), false)
    assert.equal(forgeable('session', ['Apollo-Require-Preflight', 'true']), false)
    assert.equal(forgeable('session', ['content-type', 'application/json']), false)
    assert.equal(forgeable('session', [], 'POST'), false)
    assert.equal(forgeable('bearer'), false)
    assert.equal(forgeable(undefined), false)
  })
})
