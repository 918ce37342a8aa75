import { isIP } from 'node:net'
import { canonicalAddress } from '../lib/address.ts'

/*
 * The header with which a proxy of the fourth layer tells whose connection it passes on: version 1 (a line of text) and
 * version 2 (binary), as in HAProxy's proxy-protocol.txt. Read as strictly as it may be written: whoever writes it is a
 * machine, and what it writes decides who a client is.
 */

/** Who is at the far end of a connection; `undefined` as a source: nobody but the proxy itself (LOCAL, UNKNOWN). */
export interface ProxySource {
  readonly address: string
  readonly port: number
}

/** A whole header, and how many bytes it took. */
export interface ProxyHeader {
  readonly length: number
  readonly source: ProxySource | undefined
}

/** What bytes from the start of a connection are: a header, the beginning of one, or none. */
export type ProxyReading = ProxyHeader | 'more' | 'malformed'

/** The longest line of version 1, with its CRLF. */
const maxLine = 107
const signature = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')
const fixedLength = 16
/** Addresses and further fields (TLVs) of version 2. */
const maxRest = 4096
/** From this many bytes on `readProxyHeader` never asks for more. */
export const maxProxyHeaderBytes = fixedLength + maxRest

/** Reads a header of either version from the first bytes of a connection. What stands behind it is not looked at. */
export function readProxyHeader(bytes: Buffer): ProxyReading {
  if (bytes.length === 0) return 'more'
  if (bytes[0] === 0x50) return readLine(bytes)
  return bytes[0] === signature[0] ? readBinary(bytes) : 'malformed'
}

function readLine(bytes: Buffer): ProxyReading {
  const begin = 'PROXY '
  const seen = bytes.toString('latin1', 0, Math.min(bytes.length, maxLine))
  if (!seen.startsWith(begin.slice(0, seen.length))) return 'malformed'
  const end = seen.indexOf('\r\n')
  if (end === -1) return bytes.length >= maxLine || !isLineSoFar(seen) ? 'malformed' : 'more'
  const length = end + 2
  const line = seen.slice(begin.length, end)
  if (line.includes('\r') || line.includes('\n')) return 'malformed'
  // Whatever stands behind UNKNOWN is to be ignored.
  if (line === 'UNKNOWN' || line.startsWith('UNKNOWN ')) return { length, source: undefined }
  const parts = line.split(' ')
  const version = parts[0] === 'TCP4' ? 4 : parts[0] === 'TCP6' ? 6 : 0
  if (version === 0 || parts.length !== 5) return 'malformed'
  const [, from, to, fromPort, toPort] = parts
  if (isIP(from) !== version || isIP(to) !== version || from.includes('%') || to.includes('%')) return 'malformed'
  if (!isPort(fromPort) || !isPort(toPort)) return 'malformed'
  const address = canonicalAddress(from)
  return address === undefined ? 'malformed' : { length, source: { address, port: Number(fromPort) } }
}

/** A line feed alone, or a CR before anything but one, ends no line. */
function isLineSoFar(text: string): boolean {
  const cr = text.indexOf('\r')
  return !text.includes('\n') && (cr === -1 || cr === text.length - 1)
}

/** Decimal, without leading zeros. */
function isPort(text: string): boolean {
  return /^(?:0|[1-9]\d{0,4})$/.test(text) && Number(text) < 65_536
}

const local = 0
const proxied = 1
/** Unknown, IPv4, IPv6 and UNIX, each as a stream: how long their addresses are. Of the first and the last there is nothing to tell. */
const families: ReadonlyMap<number, { readonly length: number; readonly addressBytes: number }> = new Map([
  [0x00, { length: 0, addressBytes: 0 }],
  [0x11, { length: 12, addressBytes: 4 }],
  [0x21, { length: 36, addressBytes: 16 }],
  [0x31, { length: 216, addressBytes: 0 }],
])

function readBinary(bytes: Buffer): ProxyReading {
  const begun = Math.min(bytes.length, signature.length)
  if (bytes.compare(signature, 0, begun, 0, begun) !== 0) return 'malformed'
  if (bytes.length > 12 && bytes[12] >> 4 !== 2) return 'malformed'
  if (bytes.length < fixedLength) return 'more'
  const command = bytes[12] & 15
  const rest = bytes.readUInt16BE(14)
  if (command > proxied || rest > maxRest) return 'malformed'
  const length = fixedLength + rest
  // The proxy's own connection, such as a health check: nothing of the rest may matter.
  if (command === local) return bytes.length < length ? 'more' : { length, source: undefined }
  const family = families.get(bytes[13])
  if (family === undefined || rest < family.length) return 'malformed'
  if (bytes.length < length) return 'more'
  const header = bytes.subarray(0, length)
  if (family.length > 0 && !hasSoundFields(header, fixedLength + family.length)) return 'malformed'
  const { addressBytes } = family
  if (addressBytes === 0) return { length, source: undefined }
  const address = addressText(header.subarray(fixedLength, fixedLength + addressBytes))
  return { length, source: { address, port: header.readUInt16BE(fixedLength + 2 * addressBytes) } }
}

function addressText(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join('.')
  const words = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(2 * i).toString(16))
  return canonicalAddress(words.join(':'))!
}

const crcType = 0x03

/** Whether the further fields fill the header exactly, and the checksum, if there is one, is right. */
function hasSoundFields(header: Buffer, from: number): boolean {
  let crcAt = -1
  for (let at = from; at < header.length;) {
    if (at + 3 > header.length) return false
    const type = header[at]
    const size = header.readUInt16BE(at + 1)
    if (at + 3 + size > header.length) return false
    if (type === crcType) {
      if (size !== 4 || crcAt !== -1) return false
      crcAt = at + 3
    }
    at += 3 + size
  }
  return crcAt === -1 || crc32c(header, crcAt) === header.readUInt32BE(crcAt)
}

const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  return crc
})

/** CRC-32C (RFC 3720 Appendix B.4) of the bytes, the four at `blank` taken as zeros. */
export function crc32c(bytes: Buffer, blank = -4): number {
  let crc = 0xffffffff
  for (let i = 0; i < bytes.length; i++) {
    const byte = i >= blank && i < blank + 4 ? 0 : bytes[i]
    crc = crcTable[(crc ^ byte) & 255] ^ (crc >>> 8)
  }
  return (crc ^ 0xffffffff) >>> 0
}
