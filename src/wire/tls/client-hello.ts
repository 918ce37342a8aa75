/** What the first bytes of a connection are: a whole ClientHello, a request of HTTP without TLS, or neither. */
export type HelloReading = 'hello' | 'http' | 'not-tls'

/** From this many bytes on `readClientHello` never asks for more. Browsers send two thousand. */
export const maxHelloBytes = 16_384

const handshakeRecord = 22
const clientHello = 1
const recordHeaderBytes = 5
const messageHeaderBytes = 4
const maxRecordBytes = 16_384

/**
 * What a connection to a port with TLS begins with (RFC 8446 §4 and §5.1); undefined as long as more bytes are needed to
 * tell. A hello may be cut into records anywhere. What goes wrong after the first record is for TLS itself to refuse.
 */
export function readClientHello(bytes: Buffer): HelloReading | undefined {
  if (bytes.length === 0) return undefined
  if (bytes[0] !== handshakeRecord) return bytes[0] >= 0x41 && bytes[0] <= 0x5a ? 'http' : 'not-tls'
  if (bytes.length > 1 && bytes[1] !== 3) return 'not-tls'
  if (bytes.length >= maxHelloBytes) return 'hello'
  let messageHeader = 0
  let messageBytes = 0
  for (let at = 0; bytes.length - at >= recordHeaderBytes;) {
    const length = bytes.readUInt16BE(at + 3)
    const isRecord = bytes[at] === handshakeRecord && length > 0 && length <= maxRecordBytes
    if (!isRecord) return at === 0 ? 'not-tls' : 'hello'
    const start = at + recordHeaderBytes
    const end = Math.min(start + length, bytes.length)
    for (let i = start; i < end && messageBytes + i - start < messageHeaderBytes; i++)
      messageHeader = messageHeader * 256 + bytes[i]
    messageBytes += end - start
    if (messageBytes >= messageHeaderBytes) {
      if (messageHeader >>> 24 !== clientHello) return 'not-tls'
      if (messageBytes >= messageHeaderBytes + (messageHeader & 0xff_ff_ff)) return 'hello'
    }
    at = start + length
  }
  return undefined
}
