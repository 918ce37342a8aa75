import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { crc32c, maxProxyHeaderBytes, readProxyHeader } from './proxy-protocol.ts'
import type { ProxyReading } from './proxy-protocol.ts'

const signature = '0d0a0d0a000d0a515549540a'

/** A header of version 2, from its last fixed bytes in hex, with its length filled in. */
function binary(versionAndCommand: string, family: string, rest: string): Buffer {
  const content = Buffer.from(rest, 'hex')
  const length = Buffer.alloc(2)
  length.writeUInt16BE(content.length)
  return Buffer.concat([Buffer.from(signature + versionAndCommand + family, 'hex'), length, content])
}

/** 192.0.2.1, 198.51.100.2, ports 33333 and 443. */
const ends4 = 'c0000201c6336402823501bb'
const ends6 = '20010db800000000000000000000000120010db8000000000000000000000002823501bb'
const field = (type: string, value: string): string => type + (value.length / 2).toString(16).padStart(4, '0') + value

/** With a checksum over the whole, as its last field. */
function checked(family: string, rest: string): Buffer {
  const header = binary('21', family, rest + field('03', '00000000'))
  header.writeUInt32BE(crc32c(header), header.length - 4)
  return header
}

const from4 = { address: '192.0.2.1', port: 33333 }
const from6 = { address: '2001:db8::1', port: 33333 }
const line = (text: string): Buffer => Buffer.from(text, 'latin1')

const valid: readonly [what: string, header: Buffer, source: { address: string; port: number } | undefined][] = [
  ['IPv4', line('PROXY TCP4 192.0.2.1 198.51.100.2 33333 443\r\n'), from4],
  ['IPv6', line('PROXY TCP6 2001:DB8::1 2001:db8:0:0::2 33333 443\r\n'), from6],
  ['the longest line', line(`PROXY UNKNOWN ${'x'.repeat(91)}\r\n`), undefined],
  ['UNKNOWN alone', line('PROXY UNKNOWN\r\n'), undefined],
  ['UNKNOWN with what is to be ignored', line('PROXY UNKNOWN ffff:: 1.2.3.4 0 99999\r\n'), undefined],
  ['port 0', line('PROXY TCP4 192.0.2.1 198.51.100.2 0 0\r\n'), { address: '192.0.2.1', port: 0 }],
  ['binary IPv4', binary('21', '11', ends4), from4],
  ['binary IPv6', binary('21', '21', ends6), from6],
  ['binary IPv4-mapped IPv6', binary('21', '21', '00000000000000000000ffffc0000201'.repeat(2) + '823501bb'), from4],
  ['binary UNIX', binary('21', '31', '00'.repeat(216)), undefined],
  ['binary UNSPEC', binary('21', '00', ''), undefined],
  ['binary UNSPEC with whatever', binary('21', '00', 'ffff'), undefined],
  ['LOCAL', binary('20', '00', ''), undefined],
  ['LOCAL with addresses, a family of no meaning and nonsense', binary('20', 'ff', ends4 + 'ff'), undefined],
  ['further fields', binary('21', '11', ends4 + field('01', '6832') + field('04', '0000') + field('ea', '')), from4],
  ['a checksum', checked('11', ends4), from4],
  ['a checksum behind other fields', checked('21', ends6 + field('02', '61')), from6],
  ['the largest header', binary('21', '11', ends4 + field('04', '00'.repeat(4096 - 15))), from4],
]

const wrongSum = checked('11', ends4)
wrongSum[20] ^= 1

const malformed: readonly [what: string, bytes: Buffer][] = [
  ['a request', line('GET / HTTP/1.1\r\n')],
  ['a request that begins alike', line('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')],
  ['a method that begins alike', line('PROXYX / HTTP/1.1\r\n')],
  ['a TLS handshake', Buffer.from('160301', 'hex')],
  ['lower case', line('proxy TCP4 192.0.2.1 198.51.100.2 33333 443\r\n')],
  ['another family', line('PROXY UDP4 192.0.2.1 198.51.100.2 33333 443\r\n')],
  ['a family of no meaning', line('PROXY TCP5 192.0.2.1 198.51.100.2 33333 443\r\n')],
  ['two spaces', line('PROXY TCP4  192.0.2.1 198.51.100.2 33333 443\r\n')],
  ['a tab', line('PROXY TCP4\t192.0.2.1 198.51.100.2 33333 443\r\n')],
  ['a space at the end', line('PROXY TCP4 192.0.2.1 198.51.100.2 33333 443 \r\n')],
  ['a missing port', line('PROXY TCP4 192.0.2.1 198.51.100.2 33333\r\n')],
  ['a port too many', line('PROXY TCP4 192.0.2.1 198.51.100.2 33333 443 1\r\n')],
  ['a port too high', line('PROXY TCP4 192.0.2.1 198.51.100.2 65536 443\r\n')],
  ['a port with a zero in front', line('PROXY TCP4 192.0.2.1 198.51.100.2 033 443\r\n')],
  ['a port with a sign', line('PROXY TCP4 192.0.2.1 198.51.100.2 +33 443\r\n')],
  ['an address with a zero in front', line('PROXY TCP4 192.0.02.1 198.51.100.2 33333 443\r\n')],
  ['a short address', line('PROXY TCP4 192.2.1 198.51.100.2 33333 443\r\n')],
  ['IPv6 as IPv4', line('PROXY TCP4 2001:db8::1 2001:db8::2 33333 443\r\n')],
  ['IPv4 as IPv6', line('PROXY TCP6 192.0.2.1 198.51.100.2 33333 443\r\n')],
  ['a zone', line('PROXY TCP6 fe80::1%lo fe80::2 33333 443\r\n')],
  ['a name', line('PROXY TCP4 localhost 198.51.100.2 33333 443\r\n')],
  ['no addresses', line('PROXY TCP4\r\n')],
  ['nothing at all', line('PROXY \r\n')],
  ['UNKNOWN with a tail', line('PROXY UNKNOWNX\r\n')],
  ['a line feed alone', line('PROXY TCP4 192.0.2.1 198.51.100.2 33333 443\n')],
  ['a line feed inside', line('PROXY UNKNOWN a\nb\r\n')],
  ['a CR inside', line('PROXY UNKNOWN a\rb\r\n')],
  ['a line too long', line(`PROXY UNKNOWN ${'x'.repeat(92)}\r\n`)],
  ['a line that never ends', line(`PROXY UNKNOWN ${'x'.repeat(500)}`)],
  ['another signature', Buffer.from('0d0a0d0a000d0a515549540b', 'hex')],
  ['version 1 in binary', binary('11', '11', ends4)],
  ['version 3', binary('31', '11', ends4)],
  ['another command', binary('22', '11', ends4)],
  ['datagrams', binary('21', '12', ends4)],
  ['an unknown family', binary('21', '41', ends4)],
  ['an unknown transport', binary('21', '13', ends4)],
  ['addresses too short', binary('21', '11', ends4.slice(2))],
  ['addresses of IPv4 for IPv6', binary('21', '21', ends4)],
  ['a header too large', Buffer.concat([binary('21', '11', ends4).subarray(0, 14), Buffer.from('1001', 'hex')])],
  ['a field beyond the end', binary('21', '11', ends4 + '01000461')],
  ['a field cut off', binary('21', '11', ends4 + '0100')],
  ['a wrong checksum', wrongSum],
  ['a checksum of another length', binary('21', '11', ends4 + field('03', '000000'))],
  ['two checksums', binary('21', '11', ends4 + field('03', '00000000') + field('03', '00000000'))],
]

const reading = (bytes: Buffer): ProxyReading => readProxyHeader(bytes)

describe('the header of the PROXY protocol', () => {
  for (const [what, header, source] of valid) {
    it(`is read: ${what}`, () => {
      const behind = Buffer.concat([header, Buffer.from('GET / HTTP/1.1\r\n\r\n')])
      for (const bytes of [header, behind]) assert.deepEqual(reading(bytes), { length: header.length, source })
    })

    it(`needs all its bytes: ${what}`, () => {
      for (let end = 0; end < header.length; end++) assert.equal(reading(header.subarray(0, end)), 'more', `${end} bytes`)
    })
  }

  for (const [what, bytes] of malformed) {
    it(`is refused: ${what}`, () => assert.equal(reading(bytes), 'malformed'))
  }

  it('has the checksum of RFC 3720', () => {
    assert.equal(crc32c(Buffer.alloc(32)), 0x8a9136aa)
    assert.equal(crc32c(Buffer.alloc(32, 0xff)), 0x62a8ab43)
    assert.equal(crc32c(Buffer.from('123456789')), 0xe3069283)
  })

  it('is refused whichever byte of its addresses is not the one that was summed up', () => {
    const header = checked('21', ends6 + field('05', '616263'))
    fc.assert(
      fc.property(fc.integer({ min: 16, max: 51 }), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const changed = Buffer.from(header)
        changed[at] ^= flip
        assert.equal(reading(changed), 'malformed')
      }),
    )
  })

  it('is read in one way, however it is cut and whatever it is', () => {
    const prefix = fc.constantFrom(...valid.map(([, header]) => header), ...malformed.map(([, bytes]) => bytes), Buffer.alloc(0))
    fc.assert(
      fc.property(prefix, fc.uint8Array({ maxLength: 64 }), fc.nat(5000), (start, tail, cut) => {
        const bytes = Buffer.concat([start.subarray(0, cut), Buffer.from(tail)])
        const whole = reading(bytes)
        for (let end = 0; end <= bytes.length; end += 1 + (end >> 3)) {
          const part = reading(bytes.subarray(0, end))
          // What was decided stays decided.
          if (part !== 'more') assert.deepEqual(part, whole)
        }
        if (bytes.length >= maxProxyHeaderBytes) assert.notEqual(whole, 'more')
        if (typeof whole === 'object') assert.ok(whole.length <= bytes.length)
      }),
    )
  })
})
