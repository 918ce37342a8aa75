import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'

const maxFrameBytes = 1_048_576
const opcode = { close: 8, ping: 9, pong: 10 } as const

/**
 * A WebSocket (RFC 6455) that sends every data frame back as it came, at /orders/echo; elsewhere 404. Offers the
 * subprotocol `echo.v1`. Frames above 1 MiB end the connection with 1009, protocol errors with 1002.
 */
export function echoWebSocket(request: IncomingMessage, socket: Duplex, early: Buffer): void {
  socket.on('error', () => socket.destroy())
  const key = request.headers['sec-websocket-key']
  if (request.url?.split('?')[0] !== '/orders/echo') {
    socket.end('HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n')
    return
  }
  if (
    request.headers.upgrade?.toLowerCase() !== 'websocket' ||
    key === undefined ||
    request.headers['sec-websocket-version'] !== '13'
  ) {
    socket.end('HTTP/1.1 426 Upgrade Required\r\nsec-websocket-version: 13\r\ncontent-length: 0\r\nconnection: close\r\n\r\n')
    return
  }
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
  const offered = request.headers['sec-websocket-protocol']?.split(',').map((name) => name.trim()) ?? []
  const protocol = offered.includes('echo.v1') ? 'sec-websocket-protocol: echo.v1\r\n' : ''
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: ${accept}\r\n${protocol}\r\n`,
  )

  if (early.length > 0) socket.unshift(early)
  let received: Buffer = Buffer.alloc(0)
  socket.on('data', (bytes: Buffer) => {
    received = received.length === 0 ? bytes : Buffer.concat([received, bytes])
    for (;;) {
      const frame = readFrame(received)
      if (frame === undefined) break
      if (typeof frame === 'number') {
        closeWith(socket, frame)
        return
      }
      received = received.subarray(frame.length)
      const kind = frame.first & 0x0f
      if (kind === opcode.close) {
        socket.end(frameOf(frame.first, frame.payload))
        return
      }
      if (kind === opcode.ping) socket.write(frameOf(0x80 | opcode.pong, frame.payload))
      else if (kind !== opcode.pong && !socket.write(frameOf(frame.first, frame.payload))) {
        socket.pause()
        socket.once('drain', () => socket.resume())
      }
    }
  })
}

interface Frame {
  /** FIN, reserved bits and opcode. */
  readonly first: number
  readonly payload: Buffer
  /** Bytes of the whole frame. */
  readonly length: number
}

/** The first frame, unmasked; undefined while it is incomplete; a close code when the client breaks the protocol. */
function readFrame(bytes: Buffer): Frame | number | undefined {
  if (bytes.length < 2) return undefined
  const isMasked = (bytes[1] & 0x80) !== 0
  const isControl = (bytes[0] & 0x08) !== 0
  if ((bytes[0] & 0x70) !== 0 || !isMasked) return 1002
  let size = bytes[1] & 0x7f
  if (isControl && (size > 125 || (bytes[0] & 0x80) === 0)) return 1002
  let at = 2
  if (size === 126) {
    if (bytes.length < 4) return undefined
    size = bytes.readUInt16BE(2)
    at = 4
  } else if (size === 127) {
    if (bytes.length < 10) return undefined
    size = Number(bytes.readBigUInt64BE(2))
    at = 10
  }
  if (size > maxFrameBytes) return 1009
  if (bytes.length < at + 4 + size) return undefined
  const mask = bytes.subarray(at, at + 4)
  const payload = Buffer.from(bytes.subarray(at + 4, at + 4 + size))
  for (let i = 0; i < size; i++) payload[i] ^= mask[i & 3]
  return { first: bytes[0], payload, length: at + 4 + size }
}

function frameOf(first: number, payload: Buffer): Buffer {
  const size = payload.length
  const head = Buffer.alloc(size < 126 ? 2 : size < 65_536 ? 4 : 10)
  head[0] = first
  if (size < 126) head[1] = size
  else if (size < 65_536) {
    head[1] = 126
    head.writeUInt16BE(size, 2)
  } else {
    head[1] = 127
    head.writeBigUInt64BE(BigInt(size), 2)
  }
  return Buffer.concat([head, payload])
}

function closeWith(socket: Duplex, code: number): void {
  const payload = Buffer.alloc(2)
  payload.writeUInt16BE(code)
  socket.end(frameOf(0x80 | opcode.close, payload))
}
