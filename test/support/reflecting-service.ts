import { fromBinary, toBinary } from '@bufbuild/protobuf'
import { BinaryReader, BinaryWriter } from '@bufbuild/protobuf/wire'
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import { once } from 'node:events'
import { createServer } from 'node:http2'
import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import { FrameReader, framed } from '../../src/bridges/grpc/frames.ts'

export interface ReflectingOptions {
  readonly port?: number
  /** Which of the two versions it knows, and what it answers to the other. */
  readonly version: 'v1' | 'v1alpha'
  readonly otherStatus?: number
  /** Files that it does not give, as some servers do. */
  readonly without?: readonly string[]
  /** Metadata that it asks for. */
  readonly token?: string
  /** A serialised FileDescriptorSet; replaced, it is what is told from then on. */
  set: Uint8Array
}

/** A service that answers every method with what it was asked, and says by reflection what it offers. */
export async function startReflecting(
  t: TestContext,
  options: ReflectingOptions,
): Promise<{ url: string; close(): Promise<void> }> {
  const server = createServer()
  const sessions = new Set<{ destroy(): void }>()
  server.on('session', (session) => sessions.add(session))
  server.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    stream.on('error', () => {})
    const path = headers[':path'] ?? ''
    if (!path.startsWith('/grpc.reflection.')) return echo(stream)
    if (path.includes(`.${options.version}.`)) {
      if (options.token === undefined || headers['authorization'] === options.token) reflect(stream, options)
      else ended(stream, 16)
    } else ended(stream, options.otherStatus ?? 12)
  })
  server.listen(options.port ?? 0, '127.0.0.1')
  await once(server, 'listening')
  const close = async (): Promise<void> => {
    for (const session of sessions) session.destroy()
    if (server.listening) await new Promise((resolve) => void server.close(resolve))
  }
  t.after(close)
  return { url: `grpc://127.0.0.1:${(server.address() as AddressInfo).port}`, close }
}

function ended(stream: ServerHttp2Stream, status: number): void {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': String(status) }, { endStream: true })
}

function echo(stream: ServerHttp2Stream): void {
  const pieces: Buffer[] = []
  stream.on('data', (piece: Buffer) => void pieces.push(piece))
  stream.on('end', () => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
    stream.end(Buffer.concat(pieces))
  })
}

function reflect(stream: ServerHttp2Stream, { set, without = [] }: ReflectingOptions): void {
  const files = fromBinary(FileDescriptorSetSchema, set).file
  const reader = new FrameReader(1_000_000)
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
  stream.on('end', () => stream.end())
  stream.on('data', (piece: Buffer) => {
    reader.add(piece)
    for (let frame = reader.next(); frame !== undefined; frame = reader.next()) {
      const question = new BinaryReader(frame.content)
      const [field] = question.tag()
      const asked = question.string()
      const writer = new BinaryWriter()
      if (field === 7) {
        writer.tag(6, 2).fork()
        for (const name of [
          'grpc.health.v1.Health',
          ...files.flatMap((file) => file.service.map((service) => `${file.package}.${service.name}`)),
        ]) {
          writer.tag(1, 2).fork().tag(1, 2).string(name).join()
        }
        writer.join()
      } else {
        const file = files.find(({ name, package: scope, service }) =>
          field === 3 ? name === asked : service.some((one) => `${scope}.${one.name}` === asked),
        )
        if (file === undefined || without.includes(file.name))
          writer.tag(7, 2).fork().tag(1, 0).int32(5).tag(2, 2).string('not here').join()
        else writer.tag(4, 2).fork().tag(1, 2).bytes(toBinary(FileDescriptorProtoSchema, file)).join()
      }
      stream.write(framed(writer.finish()))
    }
  })
}
