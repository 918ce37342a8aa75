import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { Exchange } from '../core/exchange.ts'
import type { Identity } from '../core/identity.ts'
import { exchangeOf } from '../../test/support/exchange.ts'
import { keyReader } from './limit-key.ts'
import type { KeyPart } from './limit-spec.ts'

const place = { route: 'orders', service: 'shop' }

function identity(parts: Partial<Identity>): Identity {
  return {
    kind: 'bearer',
    issuer: 'https://issuer.example',
    subject: 'ann',
    tenant: undefined,
    client: undefined,
    scopes: [],
    roles: [],
    claims: {},
    expiresAt: Infinity,
    session: undefined,
    credentialId: undefined,
    ...parts,
  }
}

function from(parts: Partial<Identity> | undefined, headers: readonly string[] = [], remoteAddress = '192.0.2.1'): Exchange {
  const x = exchangeOf({ headers, remoteAddress })
  x.identity = parts === undefined ? undefined : identity(parts)
  return x
}

function key(kinds: readonly KeyPart[], x: Exchange): string {
  return keyReader(kinds, place).read(x)
}

describe('a key', () => {
  it('of no parts is one for all, and never missing', () => {
    assert.equal(key([], from(undefined)), '')
    assert.equal(keyReader([], place).isMissing(from(undefined)), false)
  })

  it('per address is the address, of IPv6 its /64', () => {
    assert.equal(key([{ kind: 'address' }], from(undefined)), '192.0.2.1')
    const first = key([{ kind: 'address' }], from(undefined, [], '2001:db8:1:2::1'))
    assert.equal(first, '2001:db8:1:2::/64')
    assert.equal(key([{ kind: 'address' }], from(undefined, [], '2001:db8:1:2:ffff::9')), first)
    assert.notEqual(key([{ kind: 'address' }], from(undefined, [], '2001:db8:1:3::1')), first)
  })

  it('per subject tells the same name apart by who vouches for it', () => {
    const parts: KeyPart[] = [{ kind: 'subject' }]
    assert.notEqual(key(parts, from({ issuer: 'a', subject: 'x' })), key(parts, from({ issuer: 'b', subject: 'x' })))
    assert.notEqual(key(parts, from({ issuer: 'a', subject: 'bx' })), key(parts, from({ issuer: 'ab', subject: 'x' })))
  })

  it('per tenant, client, route, service, header and claim reads each of them', () => {
    // Readers are made before requests come: names get their ids then.
    const plan = keyReader([{ kind: 'header', name: 'X-Plan' }], place)
    const x = from({ tenant: 't', client: 'c', claims: { plan: 'gold', level: 3 } }, ['X-Plan', 'blue'])
    assert.equal(key([{ kind: 'tenant' }], x), 't')
    assert.equal(key([{ kind: 'client' }], x), 'c')
    assert.equal(key([{ kind: 'route' }], x), 'orders')
    assert.equal(key([{ kind: 'service' }], x), 'shop')
    assert.equal(plan.read(x), 'blue')
    assert.equal(key([{ kind: 'claim', name: 'plan' }], x), '"gold')
    assert.equal(key([{ kind: 'claim', name: 'level' }], x), '3')
    assert.equal(keyReader([{ kind: 'service' }], { route: '', service: '' }).read(x), x.service)
  })

  it('takes a claim only from the claims themselves', () => {
    const claims: Record<string, unknown> = Object.assign(Object.create(null) as Record<string, unknown>, { a: '1', b: 1, c: null })
    const x = from({ claims })
    assert.notEqual(key([{ kind: 'claim', name: 'a' }], x), key([{ kind: 'claim', name: 'b' }], x))
    for (const name of ['c', 'd', 'toString', '__proto__', 'constructor']) {
      assert.equal(keyReader([{ kind: 'claim', name }], place).isMissing(x), true, name)
    }
  })

  it('is missing when a part is', () => {
    const reader = keyReader([{ kind: 'tenant' }, { kind: 'address' }], place)
    assert.equal(reader.isMissing(from(undefined)), true)
    assert.equal(reader.isMissing(from({})), true)
    assert.equal(reader.isMissing(from({ tenant: 't' })), false)
    assert.equal(keyReader([{ kind: 'header', name: 'x-plan' }], place).isMissing(from(undefined, ['x-plan', ''])), true)
  })

  it('of several parts is shared by no two combinations', () => {
    const parts: KeyPart[] = [{ kind: 'tenant' }, { kind: 'client' }, { kind: 'header', name: 'x-a' }]
    const word = fc.string({ unit: fc.constantFrom('1', ':', '2', 'a', '0'), maxLength: 6 })
    const combination = fc.tuple(word, word, word)
    fc.assert(
      fc.property(combination, combination, (a, b) => {
        const [one, other] = [a, b].map(([tenant, client, header]) => key(parts, from({ tenant, client }, ['x-a', header])))
        assert.equal(one === other, a.join('\n') === b.join('\n'))
      }),
      { numRuns: 2000 },
    )
  })

  it('stays short, whatever a client sends', () => {
    const parts: KeyPart[] = [{ kind: 'header', name: 'x-a' }]
    const long = 'x'.repeat(1_000_000)
    assert.ok(key(parts, from(undefined, ['x-a', long])).length < 64)
    assert.notEqual(key(parts, from(undefined, ['x-a', long])), key(parts, from(undefined, ['x-a', `${long}y`])))
    assert.ok(key([{ kind: 'claim', name: 'a' }], from({ claims: { a: [long] } })).length < 64)
  })

  it('of one caller cannot be written down by another, also not as its hash', () => {
    const parts: KeyPart[] = [{ kind: 'header', name: 'x-a' }]
    const long = 'x'.repeat(16_384)
    const hashed = key(parts, from(undefined, ['x-a', long]))
    assert.match(hashed, /^#[\w-]{43}$/)
    assert.notEqual(key(parts, from(undefined, ['x-a', hashed])), hashed)
    assert.notEqual(key(parts, from(undefined, ['x-a', '#'])), '#')
  })

  it('per service is the one that is drawn, where several stand behind a place', () => {
    const reader = keyReader([{ kind: 'service' }], { route: 'orders', service: '', drawn: (x) => x.headers.get('x-drawn') ?? '' })
    assert.equal(reader.read(from(undefined, ['x-drawn', 'shop'])), 'shop')
    assert.equal(reader.isMissing(from(undefined)), true)
  })

  it('keeps few spellings of addresses', () => {
    for (let i = 0; i < 10_000; i++) {
      const address = `2001:db8:${(i >> 8).toString(16)}:${(i & 255).toString(16)}::1`
      assert.match(key([{ kind: 'address' }], from(undefined, [], address)), /\/64$/)
    }
  })
})
