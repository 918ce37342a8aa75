import { once } from 'node:events'
import type { Socket } from 'node:net'
import { connect } from 'node:net'

/** One answer as it came over a raw socket. */
export interface RawAnswer {
  readonly status: number
  /** Lower-case names; of several lines the last. */
  readonly fields: ReadonlyMap<string, string>
  readonly head: string
  readonly content: string
}

/** A client that knows nothing of HTTP but how to find the end of an answer: it sends what it is told, byte by byte. */
export class RawClient {
  readonly socket: Socket
  /** Everything received so far, in latin1. */
  received = ''
  hasEnded = false
  error: Error | undefined = undefined
  #at = 0
  #wake: (() => void)[] = []

  constructor(socket: Socket) {
    this.socket = socket
    socket.setNoDelay(true)
    socket.unref() // a test that failed leaves it behind; the server under test is in this process too
    socket.on('data', (chunk: Buffer) => {
      this.received += chunk.toString('latin1')
      this.#stir()
    })
    socket.on('end', () => {
      this.hasEnded = true
      this.#stir()
    })
    socket.on('error', (error) => {
      this.error = error
    })
    socket.on('close', () => {
      this.hasEnded = true
      this.#stir()
    })
  }

  static async to(port: number): Promise<RawClient> {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    await once(socket, 'connect')
    return new RawClient(socket)
  }

  send(text: string): void {
    this.socket.write(text, 'latin1')
  }

  /** Sends in two packets, the second when the first has had time to arrive by itself. */
  async sendSplit(text: string, at: number): Promise<void> {
    this.send(text.slice(0, at))
    await turns(2)
    this.send(text.slice(at))
  }

  /** The next answer, whole; undefined when the connection ended instead. `isHead` for one to HEAD. */
  async answer(isHead = false): Promise<RawAnswer | undefined> {
    for (;;) {
      const parsed = parseAnswer(this.received, this.#at, this.hasEnded, isHead)
      if (parsed !== undefined) {
        this.#at = parsed.end
        return parsed.answer
      }
      if (this.hasEnded) return undefined
      await new Promise<void>((resolve) => void this.#wake.push(resolve))
    }
  }

  /** Every answer until the connection ends. */
  async answers(): Promise<RawAnswer[]> {
    const all: RawAnswer[] = []
    for (let next = await this.answer(); next !== undefined; next = await this.answer()) all.push(next)
    return all
  }

  /** Resolves when the other side has ended or broken the connection. */
  async ended(): Promise<void> {
    while (!this.hasEnded) await new Promise<void>((resolve) => void this.#wake.push(resolve))
  }

  /** Resolves when `text` has been received. */
  async got(text: string): Promise<void> {
    while (!this.received.includes(text) && !this.hasEnded) {
      await new Promise<void>((resolve) => void this.#wake.push(resolve))
    }
  }

  /** Breaks the connection off at once. */
  close(): void {
    this.socket.resetAndDestroy()
  }

  #stir(): void {
    const wake = this.#wake
    this.#wake = []
    for (const resolve of wake) resolve()
  }
}

/** Lets the event loop turn so many times. */
export async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => void setImmediate(resolve))
}

function parseAnswer(
  text: string,
  start: number,
  hasEnded: boolean,
  isHead: boolean,
): { answer: RawAnswer; end: number } | undefined {
  const headEnd = text.indexOf('\r\n\r\n', start)
  if (headEnd === -1) return undefined
  const head = text.slice(start, headEnd)
  const [statusLine, ...lines] = head.split('\r\n')
  const status = Number(statusLine.slice(9, 12))
  const fields = new Map<string, string>()
  for (const line of lines) {
    const colon = line.indexOf(':')
    fields.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim())
  }
  const from = headEnd + 4
  const made = (content: string, end: number): { answer: RawAnswer; end: number } => ({
    answer: { status, fields, head, content },
    end,
  })
  if (isHead || status < 200 || status === 204 || status === 304) return made('', from)
  const length = fields.get('content-length')
  if (length !== undefined) {
    const end = from + Number(length)
    return text.length >= end ? made(text.slice(from, end), end) : undefined
  }
  if (fields.get('transfer-encoding') === 'chunked') return chunks(text, from, made)
  return hasEnded ? made(text.slice(from), text.length) : undefined
}

function chunks<T>(text: string, from: number, made: (content: string, end: number) => T): T | undefined {
  let content = ''
  for (let at = from; ;) {
    const lineEnd = text.indexOf('\r\n', at)
    if (lineEnd === -1) return undefined
    const size = Number.parseInt(text.slice(at, lineEnd), 16)
    if (size === 0) {
      const end = text.indexOf('\r\n\r\n', lineEnd)
      return end === -1 ? undefined : made(content, end + 4)
    }
    if (text.length < lineEnd + 4 + size) return undefined
    content += text.slice(lineEnd + 2, lineEnd + 2 + size)
    at = lineEnd + 4 + size
  }
}
