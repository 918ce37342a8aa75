import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AddressSet, rangesOf } from './address.ts'
import { parseAddressList } from './address-list.ts'

test('a list has an address or block a line, with comments', () => {
  const text = '# partners\r\n10.0.0.0/8\n\n  192.0.2.7   # the office\n2001:db8::/32 ; SBL1\n'
  assert.deepEqual(parseAddressList(text), { cidrs: ['10.0.0.0/8', '192.0.2.7/32', '2001:db8::/32'], faults: [] })
})

test('what is neither is told with its line', () => {
  const { cidrs, faults } = parseAddressList('10.0.0.0/8\nlocalhost\n10.0.0.1/8\n')
  assert.deepEqual(cidrs, ['10.0.0.0/8'])
  assert.deepEqual(
    faults.map(({ line, message }) => [line, message]),
    [
      [2, '"localhost" is not an address or a block of addresses'],
      [3, '"10.0.0.1/8" has bits set behind its prefix'],
    ],
  )
})

test('a set of the ranges of another says the same', () => {
  const set = new AddressSet(rangesOf(['10.0.0.0/8', '10.1.0.0/16', '192.0.2.7', '2001:db8::/32']))
  assert.equal(set.size, 3)
  for (const inside of ['10.1.2.3', '192.0.2.7', '2001:db8::1']) assert.ok(set.has(inside))
  for (const outside of ['11.0.0.0', '192.0.2.8', '2001:db9::1']) assert.ok(!set.has(outside))
  assert.ok(new AddressSet(rangesOf([])).isEmpty)
})
