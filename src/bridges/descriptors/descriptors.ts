import { createFileRegistry, createRegistry, fromBinary } from '@bufbuild/protobuf'
import type { DescMessage, DescMethod, DescService, Registry } from '@bufbuild/protobuf'
import { FileDescriptorSetSchema, MethodOptions_IdempotencyLevel } from '@bufbuild/protobuf/wkt'
import type { FileDescriptorProto } from '@bufbuild/protobuf/wkt'
import { builtInFiles, builtInTypes } from './built-in.ts'
import type { ConfiguredRule, HttpRule } from './http-rule.ts'
import { annotatedRules } from './http-rule.ts'

/** One method of a service, as bridges call it. */
export interface GrpcMethod {
  /** `/package.Service/Method`: the path of its calls. */
  readonly path: string
  readonly desc: DescMethod
  readonly input: DescMessage
  readonly output: DescMessage
  /** Whether the caller sends, and the service answers, any number of messages. */
  readonly streamsIn: boolean
  readonly streamsOut: boolean
  /** Declared free of side effects (`idempotency_level = NO_SIDE_EFFECTS`), so that GET may call it. */
  readonly isSideEffectFree: boolean
  /** How it is called over HTTP: of the configuration, else its annotations. */
  readonly rules: readonly HttpRule[]
}

/** Everything a bridge knows of a service: immutable, replaced as a whole. */
export interface Descriptors {
  /** All types, those that are built in among them. */
  readonly registry: Registry
  /** Without those of gRPC itself (reflection, health). */
  readonly services: readonly DescService[]
  /** By `GrpcMethod.path`. */
  readonly methods: ReadonlyMap<string, GrpcMethod>
}

/** Descriptors that cannot be used; the message says why, in one line. */
export class DescriptorError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'DescriptorError'
  }
}

/** Reads a serialised FileDescriptorSet. What it leaves out of the built-in files is added. Throws a DescriptorError. */
export function readDescriptors(set: Uint8Array, rules: readonly ConfiguredRule[] = []): Descriptors {
  let files: readonly FileDescriptorProto[]
  try {
    files = fromBinary(FileDescriptorSetSchema, set).file
  } catch {
    throw new DescriptorError('this is not a serialised FileDescriptorSet')
  }
  if (files.length === 0) throw new DescriptorError('the descriptor set is empty')
  return descriptorsOf(files, rules)
}

/** The same for files in any order. */
export function descriptorsOf(files: readonly FileDescriptorProto[], rules: readonly ConfiguredRule[] = []): Descriptors {
  const ordered = inDependencyOrder(files)
  let own: ReturnType<typeof createFileRegistry>
  try {
    own = createFileRegistry({ ...fromBinary(FileDescriptorSetSchema, new Uint8Array()), file: ordered })
  } catch (thrown) {
    throw new DescriptorError(`the descriptors do not fit together: ${(thrown as Error).message}`)
  }
  const registry = createRegistry(builtInTypes, own)
  const services: DescService[] = []
  const methods = new Map<string, GrpcMethod>()
  for (const file of own.files) {
    for (const service of file.services) {
      if (service.typeName.startsWith('grpc.')) continue
      services.push(service)
      for (const desc of service.methods) {
        const method = methodOf(service, desc, rules)
        methods.set(method.path, method)
      }
    }
  }
  for (const { selector } of rules) {
    if (!methods.has(`/${selector.replace(/\.(?=[^.]*$)/, '/')}`)) throw new DescriptorError(`there is no method ${selector}`)
  }
  return { registry, services, methods }
}

function methodOf(service: DescService, desc: DescMethod, rules: readonly ConfiguredRule[]): GrpcMethod {
  const selector = `${service.typeName}.${desc.name}`
  const configured = rules.filter((rule) => rule.selector === selector)
  return {
    path: `/${service.typeName}/${desc.name}`,
    desc,
    input: desc.input,
    output: desc.output,
    streamsIn: desc.methodKind === 'client_streaming' || desc.methodKind === 'bidi_streaming',
    streamsOut: desc.methodKind === 'server_streaming' || desc.methodKind === 'bidi_streaming',
    isSideEffectFree: desc.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS,
    rules: configured.length > 0 ? configured : annotatedRules(desc),
  }
}

/** Each file behind its imports. Copies of built-in files give way to ours: several versions of them are about. */
function inDependencyOrder(files: readonly FileDescriptorProto[]): FileDescriptorProto[] {
  const byName = new Map(files.map((file) => [file.name, file]))
  const ordered: FileDescriptorProto[] = []
  const seen = new Set<string>()
  const visit = (name: string, importer: string): void => {
    if (seen.has(name)) return
    seen.add(name)
    const file = builtInFiles.get(name) ?? byName.get(name)
    if (file === undefined) throw new DescriptorError(`"${name}" is missing, which "${importer}" imports`)
    for (const dependency of file.dependency) visit(dependency, name)
    ordered.push(file)
  }
  for (const { name } of files) visit(name, '')
  return ordered
}
