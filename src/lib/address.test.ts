import assert from 'node:assert/strict'
import { isIP } from 'node:net'
import { test } from 'node:test'
import fc from 'fast-check'
import ipaddr from 'ipaddr.js'
import { AddressError, AddressSet, addressKey, canonicalAddress, ipv4Bits, ipv6Words, parseCidr } from './address.ts'

// ipaddr.js takes the deprecated ::1.2.3.4 for ::ffff:1.2.3.4 (RFC 4291 §2.5.5 keeps them apart), so it is no oracle there.
const anyV6 = fc.ipV6().filter((text) => !/^::\d+\./.test(text))
const v6Text = fc.oneof(
  anyV6,
  // Long runs of zeros and mapped addresses are where readings differ.
  fc.array(fc.constantFrom('0', '1', 'ffff', '0db8'), { minLength: 8, maxLength: 8 }).map((groups) => groups.join(':')),
  fc.ipV4().map((v4) => `::ffff:${v4}`),
  fc.ipV4().map((v4) => `2001:db8::${v4}`),
)

test('reads dotted IPv4 and nothing that only looks like it', () => {
  assert.equal(ipv4Bits('192.0.2.1'), 0xc0000201)
  assert.equal(ipv4Bits('0.0.0.0'), 0)
  assert.equal(ipv4Bits('255.255.255.255'), 0xffffffff)
  const others = ['', '1.2.3', '1.2.3.', '.1.2.3', '1..2.3', '1.2.3.4.5', '256.1.1.1', '01.2.3.4', '1.2.3.04', '0x7f.0.0.1']
  for (const text of [
    ...others,
    '1.2.3.4 ',
    ' 1.2.3.4',
    '1.2.3.4/8',
    '2130706433',
    '1.2.3.-4',
    '1.2.3.٤',
    '0000001.2.3.4',
    '00.0.0.0',
  ]) {
    assert.equal(ipv4Bits(text), -1, text)
    assert.equal(canonicalAddress(text), undefined, text)
  }
})

test('refuses what is not an IPv6 address', () => {
  const texts = [':', ':::', '1', '1:', ':1', '1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9', '1::2::3', '12345::', 'g::', '1:2:3:4:5:6:7::8']
  for (const text of [
    ...texts,
    '::1.2.3',
    '::1.2.3.4.5',
    '1.2.3.4::',
    '::1.2.3.4:5',
    '1:2:3:4:5:6:7:1.2.3.4',
    '%eth0',
    'fe80::1%',
    '::%x/96',
    '::1%a b',
    '[::1]',
    '::1 ',
  ])
    assert.equal(canonicalAddress(text), undefined, text)
})

test('reads every IPv6 address as ipaddr.js does', () => {
  fc.assert(
    fc.property(v6Text, (text) => {
      const words = new Uint32Array(4)
      assert.equal(ipv6Words(text, words), true, text)
      const expected = ipaddr.IPv6.parse(text).parts
      assert.deepEqual(
        [...words].flatMap((word) => [word >>> 16, word & 0xffff]),
        expected,
      )
    }),
    { numRuns: 2000 },
  )
})

test('takes the same texts for addresses as node:net does', () => {
  const noise = fc.string({ unit: fc.constantFrom('0', '1', 'f', ':', '::', '.', '1.2.3.4', 'ffff'), minLength: 1, maxLength: 12 })
  fc.assert(
    fc.property(noise, (text) => {
      assert.equal(canonicalAddress(text) !== undefined, isIP(text) !== 0, text)
    }),
    { numRuns: 5000 },
  )
})

test('writes each address in one way', () => {
  assert.equal(canonicalAddress('192.0.2.1'), '192.0.2.1')
  assert.equal(canonicalAddress('::FFFF:192.0.2.1'), '192.0.2.1')
  assert.equal(canonicalAddress('::ffff:c000:201'), '192.0.2.1')
  assert.equal(canonicalAddress('2001:DB8:0:0:0:0:0:1'), '2001:db8::1')
  assert.equal(canonicalAddress('fe80::1%eth0'), 'fe80::1')
  assert.equal(canonicalAddress('::'), '::')
  assert.equal(canonicalAddress('::1.2.3.4'), '::102:304')
  fc.assert(
    fc.property(v6Text, (text) => {
      const once = canonicalAddress(text)!
      assert.equal(canonicalAddress(once), once)
    }),
  )
})

test('a budget per address belongs to an IPv4 address or an IPv6 /64', () => {
  assert.equal(addressKey('192.0.2.1'), '192.0.2.1')
  assert.equal(addressKey('2001:db8:1:2:3:4:5:6'), '2001:db8:1:2::/64')
  assert.equal(addressKey('2001:db8:1:2::'), addressKey('2001:db8:1:2:ffff:ffff:ffff:ffff'))
  assert.notEqual(addressKey('2001:db8:1:2::1'), addressKey('2001:db8:1:3::1'))
  assert.equal(addressKey(''), '')
})

test('blocks are written canonically, and mistakes are told with what would be right', () => {
  assert.equal(parseCidr('10.0.0.0/8'), '10.0.0.0/8')
  assert.equal(parseCidr('192.0.2.7'), '192.0.2.7/32')
  assert.equal(parseCidr('2001:DB8:0::/32'), '2001:db8::/32')
  assert.equal(parseCidr('::ffff:10.0.0.0/104'), '10.0.0.0/8')
  assert.equal(parseCidr('::/0'), '::/0')
  assert.equal(parseCidr('0.0.0.0/0'), '0.0.0.0/0')
  assert.equal(remedyOf('10.1.2.3/8'), 'write "10.0.0.0/8"')
  assert.equal(remedyOf('2001:db8::1/64'), 'write "2001:db8::/64"')
  for (const text of [
    '',
    'localhost',
    '10.0.0.0/33',
    '10.0.0.0/',
    '10.0.0.0/-1',
    '10/8',
    '::/129',
    '10.0.0.0/8/8',
    'fe80::1%eth0',
    '10.0.0.0/1e1',
  ])
    assert.match(remedyOf(text), /such as/, text)
  assert.match(remedyOf('::ffff:0:0/95'), /./)
})

test('a set of blocks holds exactly the addresses that ipaddr.js finds in one of them', () => {
  const v4Cidr = fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 })).map(([a, p]) => cidrOf(a, p))
  const v6Cidr = fc.tuple(anyV6, fc.integer({ min: 0, max: 128 })).map(([a, p]) => cidrOf(a, p))
  // Addresses at the borders of the blocks tell more than those drawn from everywhere.
  const near = fc.array(fc.integer({ min: -2, max: 2 }), { minLength: 1, maxLength: 4 })
  fc.assert(
    fc.property(
      fc.array(fc.oneof(v4Cidr, v6Cidr), { maxLength: 12 }),
      near,
      fc.oneof(fc.ipV4(), anyV6),
      (cidrs, offsets, anywhere) => {
        const set = new AddressSet(cidrs)
        const parsed = cidrs.map(blockOf)
        const probes = [anywhere]
        for (const [start, prefix] of parsed) {
          for (const offset of offsets) probes.push(moved(start, prefix, offset, true), moved(start, prefix, offset, false))
        }
        for (const probe of probes) {
          const address = ipaddr.process(probe)
          const expected = parsed.some(([start, prefix]) => address.kind() === start.kind() && address.match(start, prefix))
          assert.equal(set.has(probe), expected, `${probe} in ${cidrs.join(' ')}`)
        }
      },
    ),
    { numRuns: 500 },
  )
})

test('an IPv4 block holds the mapped spelling of its addresses', () => {
  const set = new AddressSet(['10.0.0.0/8'])
  assert.equal(set.has('::ffff:10.1.2.3'), true)
  assert.equal(set.has('::ffff:11.1.2.3'), false)
  assert.equal(set.has('nonsense'), false)
  assert.equal(set.has(''), false)
  assert.equal(new AddressSet([]).isEmpty, true)
  assert.equal(set.isEmpty, false)
})

function remedyOf(text: string): string {
  try {
    parseCidr(text)
  } catch (thrown) {
    assert.ok(thrown instanceof AddressError)
    return thrown.remedy
  }
  return assert.fail(`${text} was read`)
}

/** A block as ipaddr.js reads it; a mapped one as the IPv4 block it stands for. */
function blockOf(cidr: string): [ipaddr.IPv4 | ipaddr.IPv6, number] {
  const [start, prefix] = ipaddr.parseCIDR(cidr)
  if (start instanceof ipaddr.IPv6 && start.isIPv4MappedAddress() && prefix >= 96) return [start.toIPv4Address(), prefix - 96]
  return [start, prefix]
}

/** A block as text, with the bits behind its prefix cleared. */
function cidrOf(address: string, prefix: number): string {
  const bytes = ipaddr.parse(address).toByteArray()
  const cleared = bytes.map((byte, i) => byte & (0xff << Math.min(8, Math.max(0, 8 * (i + 1) - prefix))) & 0xff)
  return `${ipaddr.fromByteArray(cleared).toString()}/${prefix}`
}

/** The first or last address of a block, moved by `offset`. */
function moved(start: ipaddr.IPv4 | ipaddr.IPv6, prefix: number, offset: number, fromFirst: boolean): string {
  const bytes = start.toByteArray()
  const bits = BigInt(bytes.length * 8)
  let value = bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n)
  if (!fromFirst) value += (1n << (bits - BigInt(prefix))) - 1n
  value = BigInt.asUintN(Number(bits), value + BigInt(offset))
  const out: number[] = []
  for (let i = 0; i < bytes.length; i++) out.unshift(Number((value >> BigInt(8 * i)) & 0xffn))
  return ipaddr.fromByteArray(out).toString()
}
