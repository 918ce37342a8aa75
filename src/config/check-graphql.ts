import { readDescriptors } from '../bridges/descriptors/descriptors.ts'
import type { Descriptors } from '../bridges/descriptors/descriptors.ts'
import type { GraphqlOptions } from '../bridges/graphql/options.ts'
import { standardLimits } from '../bridges/graphql/options.ts'
import { buildGraphqlSchema, selectorOf } from '../bridges/graphql/schema.ts'
import type { CheckContext } from './check-context.ts'
import type { ReadRoute } from './check-routes.ts'
import type { ConfigPath } from './finding.ts'
import type { GatewayModel } from './model.ts'
import type { GraphqlBridge } from './schema/graphql-bridge.ts'

/** A bridge of GraphQL as it was written, with what is left unsaid. `beside` are all bridges of its route. */
export function readGraphql(written: GraphqlBridge, beside: NonNullable<ReadRoute['bridge']>): GraphqlOptions {
  const { introspection = false, statusCodes = '2025', methods: chosen = {} } = written
  return {
    introspection,
    statusCodes,
    methods: Object.entries(chosen).map(([method, { as, name }]) => ({ method, as, name })),
    limits: standardLimits,
    persisted: undefined,
    // REST could be anything; the others tell themselves.
    takesAll: !beside.some((other) => other === 'rest' || (typeof other === 'object' && other.use === 'rest')),
  }
}

/** Schemas of GraphQL against the descriptors: what is chosen but not there, and what cannot be said in GraphQL. */
export function checkSchemas(context: CheckContext, model: Omit<GatewayModel, 'hash'>): void {
  for (const [i, { action }] of model.routes.entries()) {
    if (action.kind !== 'to') continue
    for (const spec of action.bridges ?? []) {
      if (spec.kind !== 'graphql') continue
      for (const { service } of action.services) {
        const grpc = model.services.find(({ name }) => name === service)?.grpc
        if (grpc?.set === undefined) continue
        const descriptors = readDescriptors(Buffer.from(grpc.set, 'base64'), grpc.rules)
        checkSchema(context, ['routes', i, 'bridge'], descriptors, spec.graphql)
      }
    }
  }
}

function checkSchema({ findings }: CheckContext, path: ConfigPath, descriptors: Descriptors, options: GraphqlOptions): void {
  const known = new Set([...descriptors.methods.values()].map(selectorOf))
  for (const { method } of options.methods)
    if (!known.has(method)) findings.error(path, `there is no method ${method}`, 'correct the name in methods')
  for (const { method, reason } of buildGraphqlSchema(descriptors, options).leftOut) {
    const name = selectorOf(method)
    findings.warn(path, `${name} is not in the schema of GraphQL: ${reason}`, `say so: methods: { ${name}: { as: none } }`)
  }
}
