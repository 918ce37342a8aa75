import { connect } from 'node:net'
import { once } from 'node:events'
import type { Socket } from 'node:net'

/** Types of frames (RFC 9113 §6). */
export const frameType = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  window: 8,
  continuation: 9,
} as const

export const flag = { endStream: 1, ack: 1, endHeaders: 4 } as const

/** Codes of RST_STREAM and GOAWAY that the tests name (RFC 9113 §7). */
export const errorCode = { none: 0, protocol: 1, refused: 7, cancel: 8, calm: 11 } as const

export const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1')

/** One frame. */
export function frame(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

/** A header block of literals that enter no table (RFC 7541 §6.2.2): what is written is what is sent, valid or not. */
export function headerBlock(fields: readonly (readonly [string, string])[]): Buffer {
  return Buffer.concat(fields.map(([name, value]) => Buffer.concat([Buffer.from([0]), text(name), text(value)])))
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1')
  return Buffer.concat([integer(bytes.length, 7), bytes])
}

/** An integer with a prefix of so many bits (RFC 7541 §5.1). */
function integer(value: number, prefix: number): Buffer {
  const most = (1 << prefix) - 1
  if (value < most) return Buffer.from([value])
  const bytes = [most]
  let rest = value - most
  for (; rest >= 128; rest >>= 7) bytes.push((rest & 127) | 128)
  return Buffer.from([...bytes, rest])
}

/** The pseudo-header fields of a plain request. */
export function requestFields(path = '/', method = 'GET', authority = 'a.example'): [string, string][] {
  return [
    [':method', method],
    [':scheme', 'http'],
    [':authority', authority],
    [':path', path],
  ]
}

export function headersFrame(
  stream: number,
  fields: readonly (readonly [string, string])[],
  flags = flag.endStream | flag.endHeaders,
): Buffer {
  return frame(frameType.headers, flags, stream, headerBlock(fields))
}

export function resetFrame(stream: number, code: number): Buffer {
  const payload = Buffer.alloc(4)
  payload.writeUInt32BE(code)
  return frame(frameType.reset, 0, stream, payload)
}

/** A frame as it was received. */
export interface Frame {
  readonly type: number
  readonly flags: number
  readonly stream: number
  readonly payload: Buffer
}

/** One side of an HTTP/2 connection that sends whatever it is told, and only cuts frames out of what it gets. */
export class FrameSocket {
  readonly socket: Socket
  readonly frames: Frame[] = []
  hasEnded = false
  #bytes: Buffer = Buffer.alloc(0)
  #wake: (() => void)[] = []

  constructor(socket: Socket, skip = 0) {
    this.socket = socket
    let skipped = skip
    socket.setNoDelay(true)
    socket.on('data', (chunk: Buffer) => {
      const dropped = Math.min(skipped, chunk.length)
      skipped -= dropped
      this.#took(chunk.subarray(dropped))
    })
    socket.on('error', () => {}) // 'close' follows
    socket.on('close', () => {
      this.hasEnded = true
      this.#stir()
    })
  }

  /** A client that has sent the preface and its settings. */
  static async to(port: number, settings: Buffer = Buffer.alloc(0)): Promise<FrameSocket> {
    const socket = connect(port, '127.0.0.1')
    await once(socket, 'connect')
    const client = new FrameSocket(socket)
    client.send(preface, frame(frameType.settings, 0, 0, settings))
    return client
  }

  send(...frames: Buffer[]): void {
    if (!this.socket.destroyed) this.socket.write(Buffer.concat(frames))
  }

  /** The first frame that fits, once it has come; undefined when the connection ended instead. */
  async frame(fits: (frame: Frame) => boolean): Promise<Frame | undefined> {
    for (;;) {
      const found = this.frames.find(fits)
      if (found !== undefined || this.hasEnded) return found
      await new Promise<void>((resolve) => void this.#wake.push(resolve))
    }
  }

  /** The status of the answer on a stream: a static entry of HPACK, or undefined. */
  async status(stream: number): Promise<number | undefined> {
    const head = await this.frame(({ type, stream: on }) => type === frameType.headers && on === stream)
    return head === undefined ? undefined : statuses.get(head.payload[0])
  }

  /** The code with which a stream was reset; undefined when the connection ended without. */
  async resetCode(stream: number): Promise<number | undefined> {
    return (await this.frame(({ type, stream: on }) => type === frameType.reset && on === stream))?.payload.readUInt32BE(0)
  }

  /** The code of GOAWAY; undefined when the connection ended without. */
  async goawayCode(): Promise<number | undefined> {
    return (await this.frame(({ type }) => type === frameType.goaway))?.payload.readUInt32BE(4)
  }

  async ended(): Promise<void> {
    while (!this.hasEnded) await new Promise<void>((resolve) => void this.#wake.push(resolve))
  }

  close(): void {
    this.socket.destroy()
  }

  #took(chunk: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk])
    while (this.#bytes.length >= 9) {
      const end = 9 + this.#bytes.readUIntBE(0, 3)
      if (this.#bytes.length < end) break
      const bytes = this.#bytes.subarray(0, end)
      this.frames.push({ type: bytes[3], flags: bytes[4], stream: bytes.readUInt32BE(5), payload: bytes.subarray(9) })
      this.#bytes = this.#bytes.subarray(end)
    }
    this.#stir()
  }

  #stir(): void {
    for (const wake of this.#wake.splice(0)) wake()
  }
}

/** The statuses that HPACK's static table holds, by their one byte. */
const statuses = new Map([
  [0x88, 200],
  [0x89, 204],
  [0x8a, 206],
  [0x8b, 304],
  [0x8c, 400],
  [0x8d, 404],
  [0x8e, 500],
])
