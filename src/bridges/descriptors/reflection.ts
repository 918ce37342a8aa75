import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import type { FileDescriptorProto } from '@bufbuild/protobuf/wkt'
import { END, emptyBody } from '../../core/body.ts'
import type { Exchange } from '../../core/exchange.ts'
import { Fault } from '../../core/fault.ts'
import { grpcCodes } from '../../core/grpc-status.ts'
import { Headers } from '../../core/headers.ts'
import type { Call, Service } from '../../core/service.ts'
import type { GrpcAnswer, GrpcCallEnv } from '../grpc/grpc-call.ts'
import { startGrpcCall } from '../grpc/grpc-call.ts'
import { MessageQueue } from '../grpc/message-source.ts'
import { toMetadata } from '../grpc/metadata.ts'
import { builtInFiles } from './built-in.ts'
import { DescriptorError } from './descriptors.ts'
import type { ReflectionQuestion } from './reflection-messages.ts'
import { readReply, writeQuestion } from './reflection-messages.ts'

export interface ReflectionOptions {
  /** Sent with the call, for servers that do not tell everybody. */
  readonly metadata: Readonly<Record<string, string>>
  /** For all of it. */
  readonly timeoutMs: number
  /** An exchange that nobody asked for; one per call. */
  readonly exchange: () => Exchange
  readonly env: GrpcCallEnv
}

const versions = [
  '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
  '/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo',
]
const maxFiles = 2000

/**
 * Asks a service what it offers: v1, else v1alpha (some servers that only know the latter answer UNAVAILABLE). Gives a
 * serialised FileDescriptorSet with all imports. Rejects with a DescriptorError, or the Fault of a service that is not there.
 */
export async function reflectDescriptors(service: Service, options: ReflectionOptions): Promise<Uint8Array> {
  const deadlineAt = options.env.clock.monotonic() + options.timeoutMs
  let first: unknown
  for (const path of versions) {
    const talk = Conversation.open(service, path, deadlineAt, options)
    try {
      return await collect(talk)
    } catch (thrown) {
      const isOther = talk.code === grpcCodes.unimplemented || talk.code === grpcCodes.unavailable
      if (first !== undefined || !isOther) throw first ?? thrown
      first = thrown
    } finally {
      talk.close()
    }
  }
  throw first
}

async function collect(talk: Conversation): Promise<Uint8Array> {
  const services = await talk.ask('services')
  if (services.kind !== 'services') throw new DescriptorError('reflection does not say which services there are')
  const files = new Map<string, FileDescriptorProto>()
  for (const name of services.names) {
    if (!name.startsWith('grpc.')) await fetchFiles(talk, { symbol: name }, files)
  }
  if (files.size === 0) throw new DescriptorError('reflection tells of no service')
  for (;;) {
    const missing = new Set([...files.values()].flatMap(({ dependency }) => dependency).filter((name) => !files.has(name)))
    const wanted = [...missing].filter((name) => !builtInFiles.has(name))
    if (wanted.length === 0) break
    for (const name of wanted) {
      await fetchFiles(talk, { file: name }, files)
      if (!files.has(name)) throw new DescriptorError(`reflection does not give "${name}", which is imported`)
    }
  }
  return toBinary(FileDescriptorSetSchema, create(FileDescriptorSetSchema, { file: [...files.values()] }))
}

async function fetchFiles(
  talk: Conversation,
  question: ReflectionQuestion,
  files: Map<string, FileDescriptorProto>,
): Promise<void> {
  const reply = await talk.ask(question)
  if (reply.kind === 'error')
    throw new DescriptorError(`reflection refused ${JSON.stringify(question)}: ${reply.message.slice(0, 200)}`)
  if (reply.kind !== 'files') throw new DescriptorError('reflection answered something else than was asked')
  for (const bytes of reply.files) {
    let file: FileDescriptorProto
    try {
      file = fromBinary(FileDescriptorProtoSchema, bytes)
    } catch {
      throw new DescriptorError('reflection gave a file that cannot be read')
    }
    files.set(file.name, file)
    if (files.size > maxFiles) throw new DescriptorError(`reflection gave more than ${maxFiles} files`)
  }
}

/** One call of reflection: a question, its reply, the next question. */
class Conversation {
  readonly #questions: MessageQueue
  readonly #answer: GrpcAnswer | Promise<GrpcAnswer>
  #started: GrpcAnswer | undefined

  private constructor(questions: MessageQueue, answer: GrpcAnswer | Promise<GrpcAnswer>) {
    this.#questions = questions
    this.#answer = answer
  }

  static open(service: Service, path: string, deadlineAt: number, { metadata, exchange, env }: ReflectionOptions): Conversation {
    const questions = new MessageQueue(
      () => {},
      () => {},
    )
    const headers = Headers.from([['user-agent', 'velum'], ...Object.entries(metadata)])
    const call: Call = {
      method: 'POST',
      target: path,
      authority: undefined,
      headers,
      body: emptyBody,
      upgrade: undefined,
      headBy: deadlineAt,
    }
    const request = { path, metadata: toMetadata(headers), messages: questions, deadlineAt }
    const answer = startGrpcCall(service, call, exchange(), request, env)
    // Whoever asks first hears of a failure.
    if (answer instanceof Promise) answer.catch(() => undefined)
    return new Conversation(questions, answer)
  }

  /** The status that ended the call; undefined while it goes on. */
  get code(): number | undefined {
    return this.#started?.status?.code
  }

  async ask(question: ReflectionQuestion): Promise<ReturnType<typeof readReply>> {
    this.#questions.push(writeQuestion(question))
    this.#started = await this.#answer
    const message = await this.#started.pull()
    if (message !== END) {
      try {
        return readReply(message)
      } catch {
        throw new DescriptorError('reflection gave an answer that cannot be read')
      }
    }
    const status = this.#started.status!
    throw (
      status.fault ??
      new DescriptorError(
        `reflection ended with status ${status.code}${status.message === '' ? '' : `: ${status.message.slice(0, 200)}`}`,
      )
    )
  }

  close(): void {
    this.#questions.end()
    this.#started?.cancel(new Fault('cancelled', 'nothing more is asked'))
  }
}
