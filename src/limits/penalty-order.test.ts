import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { exchangeOf } from '../../test/support/exchange.ts'
import type { Identity } from '../core/identity.ts'
import { keyReader } from './limit-key.ts'
import type { PenaltyOrder } from './penalty-order.ts'
import { PenaltyOrderError, penaltyOf } from './penalty-order.ts'
import type { PenaltyPart, PenaltySpec } from './penalty-spec.ts'

const spec = (per: readonly PenaltyPart[]): PenaltySpec => ({
  name: 'abusive',
  after: undefined,
  forMs: 600_000,
  per,
  answer: 429,
  shadow: false,
})
const order = (who: PenaltyOrder['who'], over: Partial<PenaltyOrder> = {}): PenaltyOrder => ({
  penalty: 'abusive',
  who,
  reason: 'scraping',
  ...over,
})
const caller: Identity = {
  kind: 'bearer',
  issuer: 'https://issuer.example',
  subject: 'ann',
  tenant: 'acme',
  client: 'cli',
  scopes: [],
  roles: [],
  claims: { plan: 'gold', level: 3 },
  expiresAt: Infinity,
  session: undefined,
  credentialId: undefined,
}

describe('a penalty by hand', () => {
  it('is on the key that requests of this client read as', () => {
    const cases: [readonly PenaltyPart[], PenaltyOrder['who']][] = [
      [[{ kind: 'address' }], { address: '192.0.2.7' }],
      [[{ kind: 'address' }, { kind: 'header', name: 'x-app' }], { address: '192.0.2.7', 'header:x-app': 'scraper' }],
      [[{ kind: 'subject' }], { subject: 'ann' }],
      [[{ kind: 'subject' }, { kind: 'tenant' }], { subject: 'ann', issuer: 'https://issuer.example', tenant: 'acme' }],
      [[{ kind: 'client' }], { client: 'cli' }],
      [[{ kind: 'claim', name: 'plan' }], { 'claim:plan': 'gold' }],
      [[{ kind: 'claim', name: 'level' }], { 'claim:level': 3 }],
    ]
    for (const [per, who] of cases) {
      const reader = keyReader(per, { route: '', service: '' })
      const x = exchangeOf({ remoteAddress: '192.0.2.7', headers: ['x-app', 'scraper'] })
      x.identity = caller
      const penalty = penaltyOf(order(who), [spec(per)], 1000, 'https://issuer.example')
      assert.equal(penalty.key, reader.read(x), JSON.stringify(who))
      assert.deepEqual([penalty.by, penalty.at, penalty.until, penalty.reason], ['hand', 1000, 601_000, 'scraping'])
      assert.match(penalty.id, /^abusive\.[\w-]{22}$/)
    }
  })

  it('is on the /64 of an IPv6 address, however that is written', () => {
    const [one, other, block] = ['2001:db8:1:2::7', '2001:0DB8:1:2:ffff::1', '2001:db8:1:2::/64'].map((address) =>
      penaltyOf(order({ address }), [spec([{ kind: 'address' }])], 0, undefined),
    )
    assert.deepEqual(one.who, { address: '2001:db8:1:2::/64' })
    assert.deepEqual([one.id, one.key], [other.id, other.key])
    assert.equal(one.id, block.id)
  })

  it('says who it is, a subject with who vouches for it', () => {
    const { who } = penaltyOf(order({ subject: 'ann' }), [spec([{ kind: 'subject' }])], 0, 'https://issuer.example')
    assert.deepEqual(who, { issuer: 'https://issuer.example', subject: 'ann' })
  })

  it('of another kind of key is another penalty', () => {
    const a = penaltyOf(order({ 'header:x-a': 'v' }), [spec([{ kind: 'header', name: 'x-a' }])], 0, undefined)
    const b = penaltyOf(order({ 'header:x-b': 'v' }), [spec([{ kind: 'header', name: 'x-b' }])], 0, undefined)
    assert.notEqual(a.id, b.id)
  })

  it('is refused with words when it cannot be', () => {
    const address = [spec([{ kind: 'address' }])]
    const subject = [spec([{ kind: 'subject' }])]
    const wrong: [PenaltyOrder, readonly PenaltySpec[], RegExp][] = [
      [order({ address: '192.0.2.7' }, { penalty: 'other' }), address, /no penalty named "other"; the configuration has abusive/],
      [order({ address: '192.0.2.7' }), [], /the configuration has none/],
      [order({}), address, /needs to know the address/],
      [order({ address: 'localhost' }), address, /"localhost" is no address/],
      [order({ address: 7 }), address, /must be a text/],
      [order({ address: '192.0.2.7', tenant: 'acme' }), address, /per address, not by "tenant"/],
      [order({ address: '192.0.2.7', issuer: 'x' }), address, /not by "issuer"/],
      [order({ address: '192.0.2.7' }, { forMs: 999 }), address, /from one second/],
      [order({ address: '192.0.2.7' }, { forMs: Number.NaN }), address, /from one second/],
      [order({ address: '192.0.2.7' }, { reason: 'x'.repeat(501) }), address, /at most 500/],
      [order({ subject: 'ann' }), subject, /one of an issuer/],
      [order({ subject: 'x'.repeat(20_000) }), subject, /too long/],
    ]
    for (const [given, specs, message] of wrong) {
      assert.throws(
        () => penaltyOf(given, specs, 0, undefined),
        (thrown) => thrown instanceof PenaltyOrderError && message.test(thrown.message),
        String(message),
      )
    }
  })
})
