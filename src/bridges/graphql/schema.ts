import { GraphQLBoolean, GraphQLList, GraphQLNonNull, GraphQLObjectType, GraphQLSchema, printSchema } from 'graphql'
import type { GraphQLFieldConfig } from 'graphql'
import { commentOf } from '../descriptors/comments.ts'
import type { Descriptors, GrpcMethod } from '../descriptors/descriptors.ts'
import { MessageCodec } from '../json/message-codec.ts'
import { NamePlan, camelCase } from './names.ts'
import type { GraphqlSchemaOptions } from './options.ts'
import { TypeNames } from './type-names.ts'
import { TypeTable } from './types.ts'
import { valueReader } from './output-value.ts'
import { messageShape } from './shapes.ts'
import type { MethodCall, Operation } from './operation.ts'

/** A method that has no field, and why, in words of the operator's. */
export interface LeftOut {
  readonly method: GrpcMethod
  readonly reason: string
}

/** What was made of the descriptors of a service. */
export interface BuiltSchema {
  readonly schema: GraphQLSchema
  readonly leftOut: readonly LeftOut[]
}

export type RootKind = 'query' | 'mutation' | 'subscription'

/**
 * The schema of all methods of a service. A field may be null where its message may be without it: messages, optional
 * and oneof fields; enums and floats too, whose value may be one that GraphQL has no word for.
 */
export function buildGraphqlSchema(descriptors: Descriptors, options: GraphqlSchemaOptions): BuiltSchema {
  const leftOut: LeftOut[] = []
  const methods: Rooted[] = []
  for (const method of descriptors.methods.values()) {
    const choice = options.methods.find((one) => one.method === selectorOf(method))
    if (choice?.as === 'none') continue
    const name = choice?.name
    const root = rootOf(method, choice?.as)
    if (method.streamsIn && method.streamsOut) leftOut.push({ method, reason: 'both sides stream, which GraphQL cannot say' })
    else if (name !== undefined && methods.some((other) => other.root === root && other.name === name))
      leftOut.push({ method, reason: `another method is called ${name} already` })
    else methods.push({ method, root, name })
  }
  const used = methods.map(({ method }) => method)
  const types = new TypeTable(new TypeNames(used), descriptors.registry)
  const root = (kind: RootKind, name: string): GraphQLObjectType | undefined => {
    const fields = rootFields(
      methods.filter((one) => one.root === kind),
      types,
      descriptors,
    )
    return fields.length === 0 ? undefined : new GraphQLObjectType({ name, fields: Object.fromEntries(fields) })
  }
  const schema = new GraphQLSchema({
    query: root('query', 'Query') ?? noQueries,
    mutation: root('mutation', 'Mutation'),
    subscription: root('subscription', 'Subscription'),
  })
  return { schema, leftOut }
}

/** The schema in the language of GraphQL. */
export function printGraphqlSchema(descriptors: Descriptors, options: GraphqlSchemaOptions = { methods: [] }): string {
  return `${printSchema(buildGraphqlSchema(descriptors, options).schema)}\n`
}

/** `package.Service.Method`. */
export function selectorOf({ desc }: GrpcMethod): string {
  return `${desc.parent.typeName}.${desc.name}`
}

interface Rooted {
  readonly method: GrpcMethod
  readonly root: RootKind
  readonly name: string | undefined
}

/** Every schema has a Query; one must have a field. */
const noQueries = new GraphQLObjectType({
  name: 'Query',
  fields: { _empty: { type: GraphQLBoolean, description: 'The service has no queries.', resolve: () => null } },
})

function rootOf(method: GrpcMethod, chosen: 'query' | 'mutation' | undefined): RootKind {
  if (method.streamsOut) return 'subscription'
  if (chosen !== undefined) return chosen
  const isSafe = method.isSideEffectFree || method.rules.some((rule) => rule.method === 'GET')
  return isSafe ? 'query' : 'mutation'
}

type RootField = readonly [name: string, config: GraphQLFieldConfig<unknown, Operation>]

function rootFields(methods: readonly Rooted[], types: TypeTable, descriptors: Descriptors): RootField[] {
  const names = new NamePlan(methods.flatMap(({ name }) => name ?? []))
  for (const { method, name } of methods) {
    const { desc } = method
    if (name === undefined) names.want(method.path, camelCase(desc.name), `${camelCase(desc.parent.name)}_${camelCase(desc.name)}`)
  }
  return methods.map(({ method, root, name }) => [name ?? names.of(method.path), rootField(method, root, types, descriptors)])
}

function rootField(
  method: GrpcMethod,
  root: RootKind,
  types: TypeTable,
  { registry }: Descriptors,
): GraphQLFieldConfig<unknown, Operation> {
  const { input, output, streamsIn, desc } = method
  const one = types.input(input)
  const call: MethodCall = {
    method,
    isQuery: root === 'query',
    input: new MessageCodec(input, registry),
    output: new MessageCodec(output, registry),
    read: valueReader(messageShape(output), registry),
    registry,
  }
  const config: GraphQLFieldConfig<unknown, Operation> = {
    type: types.output(output),
    description: commentOf(desc),
    deprecationReason: desc.deprecated ? 'Deprecated by the service.' : undefined,
    args:
      input.fields.length === 0 && !streamsIn
        ? {}
        : { input: { type: streamsIn ? new GraphQLNonNull(new GraphQLList(new GraphQLNonNull(one))) : one } },
  }
  if (root !== 'subscription') return { ...config, resolve: (_source, args, operation) => operation.call(call, args['input']) }
  return {
    ...config,
    subscribe: (_source, args, operation) => operation.subscribe(call, args['input']),
    resolve: (message) => message,
  }
}
