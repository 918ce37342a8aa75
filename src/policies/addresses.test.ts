import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exchangeOf } from '../../test/support/exchange.ts'
import { optionFaults } from '../../test/support/option-faults.ts'
import { policyEnv } from '../../test/support/policy-env.ts'
import type { Verdict } from '../core/verdict.ts'
import { addresses } from './addresses.ts'
import type { AddressesInput } from './addresses.ts'

function decide(input: AddressesInput, address: string): Verdict {
  const x = exchangeOf({ remoteAddress: '203.0.113.9' })
  x.clientAddress = address
  return addresses.build(addresses.options.parse(input), policyEnv())!.policies[0].decide!(x, 'charge') as Verdict
}

const rows: readonly (readonly [name: string, input: AddressesInput, address: string, code: string])[] = [
  ['an address in allow', { allow: ['10.0.0.0/8'] }, '10.1.2.3', 'allowed'],
  ['an address outside allow', { allow: ['10.0.0.0/8'] }, '11.0.0.1', 'unlisted'],
  ['an address in deny', { deny: ['192.0.2.0/24'] }, '192.0.2.77', 'denied'],
  ['an address outside deny', { deny: ['192.0.2.0/24'] }, '192.0.3.1', 'allowed'],
  ['an address in both: deny wins', { allow: ['10.0.0.0/8'], deny: ['10.1.0.0/16'] }, '10.1.2.3', 'denied'],
  ['a single address', { allow: ['10.0.0.1'] }, '10.0.0.1', 'allowed'],
  ['the neighbour of a single address', { allow: ['10.0.0.1'] }, '10.0.0.2', 'unlisted'],
  ['an IPv6 address in its block', { allow: ['2001:db8::/32'] }, '2001:db8:1::1', 'allowed'],
  ['an IPv6 address where only IPv4 is listed', { allow: ['0.0.0.0/0'] }, '2001:db8::1', 'unlisted'],
  ['an IPv4 address written as a mapped one', { deny: ['192.0.2.0/24'] }, '::ffff:192.0.2.1', 'denied'],
  ['an address that is not known, with deny only', { deny: ['192.0.2.0/24'] }, '', 'unknown'],
  ['an address that is not known, with allow', { allow: ['0.0.0.0/0', '::/0'] }, '', 'unknown'],
]

for (const [name, input, address, code] of rows) {
  test(`${name}: ${code}`, () => {
    const verdict = decide(input, address)
    assert.equal(verdict.code, code)
    assert.equal(verdict.refusal?.name, code === 'allowed' ? undefined : 'address-denied')
  })
}

test('empty lists leave nothing in the chain', () => {
  assert.equal(addresses.build(addresses.options.parse({}), policyEnv()), undefined)
  assert.equal(addresses.build(addresses.options.parse({ deny: [] }), policyEnv()), undefined)
})

test('an allow list of nobody, and blocks that are none, are mistakes', () => {
  assert.match(optionFaults(addresses.options, { allow: [] })[0], /^allow: /)
  assert.deepEqual(optionFaults(addresses.options, { deny: ['10.0.0.0/8', 'localhost'] }), [
    'deny.1: "localhost" is not an address or a block of addresses',
  ])
  assert.match(optionFaults(addresses.options, { allow: ['10.0.0.1/8'] })[0], /bits set behind its prefix/)
  assert.equal(optionFaults(addresses.options, { blocked: [] }).length, 1)
})
