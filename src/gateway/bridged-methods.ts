import type { BridgeSpec } from '../bridges/create-bridge.ts'
import { commentOf } from '../bridges/descriptors/comments.ts'
import type { Descriptors, GrpcMethod } from '../bridges/descriptors/descriptors.ts'
import { readDescriptors } from '../bridges/descriptors/descriptors.ts'
import type { OpenapiDocument } from '../bridges/openapi/document.ts'
import { openapiDocument } from '../bridges/openapi/document.ts'
import type { GatewayModel, ServiceModel } from '../config/model.ts'
import { lazily } from '../lib/lazily.ts'
import type * as GraphqlSchemaModule from '../bridges/graphql/schema.ts'

const graphqlSchema = lazily<typeof GraphqlSchemaModule>(import.meta.url, '../bridges/graphql/schema')

/** One method of a service of gRPC, and how it can be called from the edge. */
export interface BridgedMethod {
  /** `package.Service/Method`. */
  readonly method: string
  readonly kind: 'unary' | 'server-stream' | 'client-stream' | 'both-stream'
  /** The rules of REST: `GET /v1/invoices/{invoice_id}`. */
  readonly rest: readonly string[]
  /** The first line of its comment. */
  readonly summary: string | undefined
}

/** A service that routes translate for. */
export interface BridgedService {
  readonly service: string
  /** Its routes, with their bridges. */
  readonly routes: readonly { readonly route: string; readonly bridges: readonly BridgeSpec['kind'][] }[]
  /** Undefined: the service has not been asked yet what it offers, or did not say. */
  readonly methods: readonly BridgedMethod[] | undefined
}

/** What is known of a service's methods at the moment; undefined: nothing. */
export type KnownDescriptors = (service: ServiceModel) => Descriptors | undefined

/** What stands in the configuration; nothing of a service that has to be asked. */
export const writtenDescriptors: KnownDescriptors = ({ grpc }) =>
  grpc?.set === undefined ? undefined : readDescriptors(Buffer.from(grpc.set, 'base64'), grpc.rules)

/** Every service with a bridge in front of it, with its methods. */
export function bridgedServices({ services, routes }: GatewayModel, known: KnownDescriptors): BridgedService[] {
  return services.flatMap((service) => {
    const own = routes.flatMap(({ name, action }) => {
      if (action.kind !== 'to' || action.bridges === undefined || action.bridges.length === 0) return []
      if (!action.services.some((share) => share.service === service.name)) return []
      return [{ route: name, bridges: action.bridges.map(({ kind }) => kind) }]
    })
    if (own.length === 0) return []
    const methods = known(service)?.methods
    return [
      { service: service.name, routes: own, methods: methods === undefined ? undefined : [...methods.values()].map(methodRow) },
    ]
  })
}

function methodRow({ path, streamsIn, streamsOut, rules, desc }: GrpcMethod): BridgedMethod {
  return {
    method: path.slice(1),
    kind: streamsIn ? (streamsOut ? 'both-stream' : 'client-stream') : streamsOut ? 'server-stream' : 'unary',
    rest: rules.map((rule) => `${rule.method} ${rule.path}`),
    summary: commentOf(desc)?.split('\n\n', 1)[0].replaceAll('\n', ' '),
  }
}

/** The OpenAPI document of a service's REST rules; undefined where nothing is known of it. */
export function openapiOf(model: GatewayModel, name: string, known: KnownDescriptors): OpenapiDocument | undefined {
  const descriptors = descriptorsOf(model, name, known)
  return descriptors === undefined ? undefined : openapiDocument(descriptors, { title: name, version: model.hash.slice(0, 12) })
}

/** The GraphQL schema of a service, as the first route with `graphql` to it has it; undefined where nothing is known of it. */
export function sdlOf(model: GatewayModel, name: string, known: KnownDescriptors): string | undefined {
  const descriptors = descriptorsOf(model, name, known)
  if (descriptors === undefined) return undefined
  const { printGraphqlSchema } = graphqlSchema()
  for (const { action } of model.routes) {
    if (action.kind !== 'to' || !action.services.some(({ service }) => service === name)) continue
    for (const spec of action.bridges ?? []) if (spec.kind === 'graphql') return printGraphqlSchema(descriptors, spec.graphql)
  }
  return printGraphqlSchema(descriptors)
}

function descriptorsOf({ services }: GatewayModel, name: string, known: KnownDescriptors): Descriptors | undefined {
  const service = services.find((one) => one.name === name)
  return service === undefined ? undefined : known(service)
}
