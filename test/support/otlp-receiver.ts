// A collector that takes OTLP over HTTP and reads its protobuf by hand: what is tested is what goes over the wire.
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A span as it came. Ids in hex, times in nanoseconds. */
export interface ReceivedSpan {
  readonly traceId: string
  readonly spanId: string
  /** '' for none. */
  readonly parentSpanId: string
  readonly name: string
  /** 1 internal, 2 server, 3 client. */
  readonly kind: number
  readonly start: bigint
  readonly end: bigint
  /** 0 unset, 2 error. */
  readonly status: number
  readonly flags: number
  readonly attributes: Readonly<Record<string, string | number>>
  /** Attributes of the resource. */
  readonly resource: Readonly<Record<string, string | number>>
}

export interface OtlpReceiver {
  readonly url: string
  readonly spans: readonly ReceivedSpan[]
  /** Raw bytes of all posts, as latin1, and their heads. */
  readonly text: () => string
  readonly headers: readonly NodeJS.Dict<string | string[]>[]
  /** What is answered from now on; 200 takes the spans. */
  status: number
  /** Resolves with the spans when these are there; rejects after ten seconds. */
  until(isThere: (spans: readonly ReceivedSpan[]) => boolean): Promise<readonly ReceivedSpan[]>
  close(): Promise<void>
}

export async function startOtlpReceiver(): Promise<OtlpReceiver> {
  const spans: ReceivedSpan[] = []
  const bodies: Buffer[] = []
  const headers: NodeJS.Dict<string | string[]>[] = []
  let came: (() => void) | undefined
  const receiver = { status: 200 }
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const body = Buffer.concat(chunks)
      const isOurs = request.url === '/v1/traces' && request.headers['content-type'] === 'application/x-protobuf'
      response.statusCode = isOurs ? receiver.status : 404
      if (response.statusCode === 200) {
        bodies.push(body)
        headers.push(request.headers)
        spans.push(...readExport(body))
      }
      response.end()
      came?.()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return Object.assign(receiver, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    headers,
    text: () => Buffer.concat(bodies).toString('latin1'),
    until: (isThere: (spans: readonly ReceivedSpan[]) => boolean) =>
      new Promise<readonly ReceivedSpan[]>((resolve, reject) => {
        const timer = setTimeout(
          () => reject(new Error(`the spans did not come; there are: ${spans.map(({ name }) => name).join(', ')}`)),
          10_000,
        )
        const look = (): void => {
          if (!isThere(spans)) return
          clearTimeout(timer)
          came = undefined
          resolve(spans)
        }
        came = look
        look()
      }),
    close: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  })
}

/** A field of a message: its number, and its bytes or its number. */
type Field = readonly [number: number, value: Buffer | bigint]

function* fieldsOf(bytes: Buffer): Generator<Field> {
  let at = 0
  const varint = (): bigint => {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++]
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
  }
  while (at < bytes.length) {
    const tag = Number(varint())
    const wire = tag & 7
    if (wire === 0) yield [tag >> 3, varint()]
    else if (wire === 1) yield [tag >> 3, bytes.readBigUInt64LE((at += 8) - 8)]
    else if (wire === 5) yield [tag >> 3, BigInt(bytes.readUInt32LE((at += 4) - 4))]
    else if (wire === 2) {
      const length = Number(varint())
      yield [tag >> 3, bytes.subarray(at, (at += length))]
    } else throw new Error(`wire type ${wire}`)
  }
}

function all(bytes: Buffer, number: number): Buffer[] {
  return [...fieldsOf(bytes)].flatMap(([field, value]) => (field === number && typeof value !== 'bigint' ? [value] : []))
}

/** The spans of an `ExportTraceServiceRequest`. */
export function readExport(body: Buffer): ReceivedSpan[] {
  return all(body, 1).flatMap((resourceSpans) => {
    const resource = attributesOf(all(resourceSpans, 1)[0] ?? Buffer.alloc(0), 1)
    return all(resourceSpans, 2).flatMap((scopeSpans) => all(scopeSpans, 2).map((span) => readSpan(span, resource)))
  })
}

function readSpan(bytes: Buffer, resource: ReceivedSpan['resource']): ReceivedSpan {
  const fields = new Map(fieldsOf(bytes))
  const blob = (number: number): Buffer => (fields.get(number) as Buffer | undefined) ?? Buffer.alloc(0)
  const count = (number: number): bigint => (fields.get(number) as bigint | undefined) ?? 0n
  return {
    traceId: blob(1).toString('hex'),
    spanId: blob(2).toString('hex'),
    parentSpanId: blob(4).toString('hex'),
    name: blob(5).toString(),
    kind: Number(count(6)),
    start: count(7),
    end: count(8),
    status: Number((new Map(fieldsOf(blob(15))).get(3) as bigint | undefined) ?? 0n),
    flags: Number(count(16)),
    attributes: attributesOf(bytes, 9),
    resource,
  }
}

function attributesOf(bytes: Buffer, number: number): Record<string, string | number> {
  return Object.fromEntries(
    all(bytes, number).map((pair) => {
      const fields = new Map(fieldsOf(pair))
      const [kind, value] = [...fieldsOf(fields.get(2) as Buffer)][0]
      return [String(fields.get(1)), kind === 1 ? String(value) : kind === 4 ? doubleOf(value as bigint) : Number(value)]
    }),
  )
}

function doubleOf(bits: bigint): number {
  return new Float64Array(BigUint64Array.of(bits).buffer)[0]
}
