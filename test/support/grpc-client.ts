import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2'
import { connect } from 'node:http2'

/** How a gRPC call ended, and what came before. */
export interface GrpcEnd {
  /** Messages as they came, without their frames. */
  readonly messages: readonly Buffer[]
  /** From trailers, or from the head alone; NaN when there was none. */
  readonly status: number
  readonly message: string
  readonly httpStatus: number
  /** Everything of head and trailers. */
  readonly fields: Readonly<Record<string, unknown>>
  /** How the stream was closed; 0 for a proper end. */
  readonly rstCode: number
}

/** One call under way. */
export class GrpcCall {
  readonly stream: ClientHttp2Stream
  readonly ended: Promise<GrpcEnd>
  #messages: Buffer[] = []
  #bytes = Buffer.alloc(0)
  #wake: (() => void)[] = []

  constructor(stream: ClientHttp2Stream) {
    this.stream = stream
    let fields: Record<string, unknown> = {}
    let httpStatus = 0
    stream.on('response', (headers) => {
      httpStatus = Number(headers[':status'])
      fields = { ...fields, ...headers }
    })
    stream.on('trailers', (headers) => void (fields = { ...fields, ...headers }))
    stream.on('data', (chunk: Buffer) => this.#took(chunk))
    stream.on('error', () => {}) // 'close' follows
    this.ended = new Promise((resolve) => {
      stream.on('close', () => {
        for (const wake of this.#wake.splice(0)) wake()
        const status = fields['grpc-status'] === undefined ? NaN : Number(fields['grpc-status'])
        const message = decodeURIComponent((fields['grpc-message'] as string | undefined) ?? '')
        resolve({ messages: this.#messages, status, message, httpStatus, fields, rstCode: stream.rstCode ?? 0 })
      })
    })
  }

  /** Sends one message. */
  send(message: Uint8Array): void {
    const head = Buffer.alloc(5)
    head.writeUInt32BE(message.length, 1)
    this.stream.write(Buffer.concat([head, message]))
  }

  /** Message number `index`, once it has come; rejects when the call ends before. */
  async message(index: number): Promise<Buffer> {
    while (this.#messages.length <= index) {
      if (this.stream.closed) throw new Error('the call ended before this message')
      await new Promise<void>((resolve) => void this.#wake.push(resolve))
    }
    return this.#messages[index]
  }

  #took(chunk: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk])
    while (this.#bytes.length >= 5 && this.#bytes.length >= 5 + this.#bytes.readUInt32BE(1)) {
      const end = 5 + this.#bytes.readUInt32BE(1)
      this.#messages.push(this.#bytes.subarray(5, end))
      this.#bytes = this.#bytes.subarray(end)
    }
    for (const wake of this.#wake.splice(0)) wake()
  }
}

/** A gRPC client over node:http2, as plain as the protocol. */
export class GrpcClient {
  readonly session: ClientHttp2Session

  constructor(origin: string, options: { readonly ca?: string } = {}) {
    this.session = connect(origin, options)
    this.session.on('error', () => {}) // its calls hear of it
  }

  /** Opens a call; `finish` in one go with `unary`. */
  open(path: string, headers: Readonly<Record<string, string>> = {}): GrpcCall {
    return new GrpcCall(
      this.session.request({
        ':method': 'POST',
        ':path': path,
        'content-type': 'application/grpc',
        te: 'trailers',
        ...headers,
      }),
    )
  }

  /** Sends these messages and the end of the request; resolves when the call is over. */
  call(path: string, messages: readonly Uint8Array[], headers?: Readonly<Record<string, string>>): Promise<GrpcEnd> {
    const call = this.open(path, headers)
    for (const message of messages) call.send(message)
    call.stream.end()
    return call.ended
  }

  close(): void {
    this.session.destroy()
  }
}
