import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { exchangeOf } from '../../test/support/exchange.ts'
import type { Exchange } from '../core/exchange.ts'
import type { Identity } from '../core/identity.ts'
import { hashKeyReader } from './hash-key.ts'

const withFields = (...headers: string[]): Exchange => exchangeOf({ headers })

describe('key of consistent hashing', () => {
  it('is the address of the client', () => {
    const key = hashKeyReader({ kind: 'address' })
    assert.equal(key(exchangeOf({ remoteAddress: '192.0.2.7' })), '192.0.2.7')
    assert.equal(key(exchangeOf({ remoteAddress: '' })), undefined)
  })

  it('is the subject together with who vouches for it', () => {
    const key = hashKeyReader({ kind: 'subject' })
    const x = exchangeOf()
    assert.equal(key(x), undefined)
    x.identity = { issuer: 'https://a', subject: 'ada' } as Identity
    const other = exchangeOf()
    other.identity = { issuer: 'https://b', subject: 'ada' } as Identity
    assert.notEqual(key(x), key(other))
  })

  it('is a header field, all of its lines', () => {
    const key = hashKeyReader({ kind: 'header', name: 'x-cart' })
    assert.equal(key(withFields('X-Cart', '7')), '7')
    assert.equal(key(withFields('X-Cart', '7', 'x-cart', '8')), '7, 8')
    assert.equal(key(withFields('X-Cart', '')), undefined)
    assert.equal(key(withFields('X-Other', '7')), undefined)
  })

  const cookies: [what: string, fields: string[], expected: string | undefined][] = [
    ['among others', ['Cookie', 'a=1; sid=x; sid=y'], 'x'],
    ['with "=" in it', ['Cookie', 'sid=a=b'], 'a=b'],
    ['in lines of its own', ['cookie', 'a=1', 'cookie', 'sid=z'], 'z'],
    ['whose name is the end of another', ['Cookie', 'mysid=1'], undefined],
    ['whose name is the beginning of another', ['Cookie', 'sid2=1'], undefined],
    ['in another case', ['Cookie', 'SID=1'], undefined],
    ['that is empty', ['Cookie', 'sid='], undefined],
    ['of which only the name is there', ['Cookie', 'sid; a=1;;  '], undefined],
    ['without any', [], undefined],
  ]
  for (const [what, fields, expected] of cookies) {
    it(`is a cookie ${what}`, () => {
      assert.equal(hashKeyReader({ kind: 'cookie', name: 'sid' })(withFields(...fields)), expected)
    })
  }
})
