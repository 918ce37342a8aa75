import type { GraphqlBridgeInput } from './graphql-input.ts'
import type { Duration, Size } from './unit-input.ts'

/** The ways to write one HTTP rule, as google.api.HttpRule has them; exactly one of the methods. */
export interface HttpBindingInput {
  /** The path template of GET, and so on: `/v1/{name=shelves/*}:verb`. */
  readonly get?: string | undefined
  readonly put?: string | undefined
  readonly post?: string | undefined
  readonly delete?: string | undefined
  readonly patch?: string | undefined
  /** Another method; `*` for any. */
  readonly custom?: { readonly kind: string; readonly path: string } | undefined
  /** The request field that is the content; `*` for the whole request. Default: there is no content. */
  readonly body?: string | undefined
  /** The field of the answer that is sent. Default: all of it. */
  readonly responseBody?: string | undefined
}

/** An HTTP rule of a method; it replaces what its .proto says. */
export interface HttpRuleInput extends HttpBindingInput {
  /** The method: `package.Service.Method`. */
  readonly selector: string
  /** Further ways to call it. */
  readonly additional?: readonly HttpBindingInput[] | undefined
}

/** How a service is asked what it offers. */
export interface ReflectionInput {
  /** Sent along, for servers that do not tell everybody. */
  readonly metadata?: Readonly<Record<string, string>> | undefined
  /** How often it is asked again. Default: `1m`. */
  readonly every?: Duration | undefined
}

/** What a service of gRPC says about itself, for bridges. */
export interface GrpcServiceInput {
  /** The .proto files that describe the service. What they import is looked for in the folders above them. */
  readonly protos?: string | readonly string[] | undefined
  /** A serialised FileDescriptorSet in place of `protos`. */
  readonly descriptors?: string | undefined
  /** Asks the service itself (gRPC server reflection) in place of `protos`. */
  readonly reflection?: true | ReflectionInput | undefined
  /** HTTP rules for the bridge `rest`. */
  readonly rules?: readonly HttpRuleInput[] | undefined
  /** Largest single message, either way, decompressed. Default: `4mb`. */
  readonly maxMessage?: Size | undefined
}

/** A protocol that carries JSON, with its options. */
export interface JsonBridgeInput {
  /** The protocol whose JSON is meant. */
  readonly use: 'rest' | 'connect' | 'websocket'
  /** Members and parameters that the method does not have. Default: `refuse`. */
  readonly unknownFields?: 'refuse' | 'ignore' | undefined
  /** Writes fields that have their default value too. Default: false. */
  readonly emitDefaults?: boolean | undefined
  /** Writes enum values as numbers. Default: false. */
  readonly enumsAsNumbers?: boolean | undefined
  /** Writes fields as the .proto names them. Default: false. */
  readonly protoNames?: boolean | undefined
}

/** A protocol that a route translates to gRPC. */
export type BridgeInput = 'rest' | 'websocket' | 'grpc-web' | 'connect' | 'graphql' | JsonBridgeInput | GraphqlBridgeInput
