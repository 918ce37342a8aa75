import { createHash } from 'node:crypto'
import { readDescriptors } from '../bridges/descriptors/descriptors.ts'
import type { Descriptors } from '../bridges/descriptors/descriptors.ts'
import type { GraphqlGuardOptions, GraphqlLimits, GraphqlOptions, PersistedDocuments } from '../bridges/graphql/options.ts'
import { standardLimits } from '../bridges/graphql/options.ts'
import { lazily } from '../lib/lazily.ts'
import { absolutePath } from './check-context.ts'
import type { CheckContext } from './check-context.ts'
import type { ReadRoute } from './check-routes.ts'
import type { ConfigPath } from './finding.ts'
import type { GatewayModel } from './model.ts'
import { readConfigFile } from './read-config-file.ts'
import type { GraphqlBridge, GraphqlGuard } from './schema/graphql-bridge.ts'
import type * as GraphqlDocumentsModule from '../bridges/graphql/documents.ts'
import type * as GraphqlSchemaModule from '../bridges/graphql/schema.ts'

const documents = lazily<typeof GraphqlDocumentsModule>(import.meta.url, '../bridges/graphql/documents')
const schemas = lazily<typeof GraphqlSchemaModule>(import.meta.url, '../bridges/graphql/schema')

/** A bridge of GraphQL as it was written, with what is left unsaid. `beside` are all bridges of its route. */
export function readGraphql(
  context: CheckContext,
  path: ConfigPath,
  written: GraphqlBridge,
  beside: NonNullable<ReadRoute['bridge']>,
): GraphqlOptions {
  const { introspection = false, statusCodes = '2025', methods: chosen = {}, limits = {}, persisted } = written
  return {
    introspection,
    statusCodes,
    methods: Object.entries(chosen).map(([method, { as, name }]) => ({ method, as, name })),
    limits: readLimits(limits),
    persisted:
      persisted === undefined
        ? undefined
        : { documents: persistedDocuments(context, path, persisted.file), only: persisted.only ?? false },
    // REST could be anything; the others tell themselves.
    takesAll: !beside.some((other) => other === 'rest' || (typeof other === 'object' && other.use === 'rest')),
  }
}

/** What stands before a service that speaks GraphQL itself. */
export function checkGuard(
  { findings }: CheckContext,
  path: ConfigPath,
  written: GraphqlGuard,
  { bridge, mirror }: ReadRoute,
): GraphqlGuardOptions {
  const { introspection = false, statusCodes = '2025', limits = {} } = written === true ? {} : written
  if (bridge !== undefined)
    findings.error(
      path,
      'the service is called by gRPC here',
      'remove graphql, whose limits belong to the bridge, or remove bridge',
    )
  if (mirror !== undefined)
    findings.error(path, 'a mirror cannot copy what is judged first', 'remove mirror, or make a route of its own')
  return { introspection, statusCodes, limits: readLimits(limits) }
}

function readLimits(written: NonNullable<GraphqlBridge['limits']>): GraphqlLimits {
  const limits: { -readonly [K in keyof GraphqlLimits]: number } = { ...standardLimits }
  for (const name of Object.keys(limits) as (keyof GraphqlLimits)[]) limits[name] = written[name] ?? limits[name]
  return limits
}

/** The documents of a file, a JSON object of id and text. An id that is a hash must be that of its text. */
function persistedDocuments(context: CheckContext, path: ConfigPath, named: string): PersistedDocuments['documents'] {
  const { findings } = context
  const file = absolutePath(context, named)
  const text = readConfigFile(context, path, file)
  if (text === undefined) return []
  let read: unknown
  try {
    read = JSON.parse(text)
  } catch {
    read = undefined
  }
  if (read === undefined || read === null || typeof read !== 'object' || Array.isArray(read)) {
    findings.error(path, `${named} is no JSON object`, 'write { "sha256:…": "query { … }" }')
    return []
  }
  return Object.entries(read).flatMap(([id, document]) => {
    if (typeof document !== 'string') {
      findings.error(path, `${named}: ${JSON.stringify(id)} is no text`, 'give it a document of GraphQL')
      return []
    }
    const hash = /^(?:sha256:)?([0-9a-f]{64})$/.exec(id)?.[1]
    if (hash !== undefined && createHash('sha256').update(document).digest('hex') !== hash)
      findings.error(path, `${named}: ${JSON.stringify(id)} is not the hash of its document`, 'make the file anew')
    return [[hash === undefined ? id : `sha256:${hash}`, document] as const]
  })
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
  const { buildGraphqlSchema, selectorOf } = schemas()
  const known = new Set([...descriptors.methods.values()].map(selectorOf))
  for (const { method } of options.methods)
    if (!known.has(method)) findings.error(path, `there is no method ${method}`, 'correct the name in methods')
  const { schema, leftOut } = buildGraphqlSchema(descriptors, options)
  for (const { method, reason } of leftOut) {
    const name = selectorOf(method)
    findings.warn(path, `${name} is not in the schema of GraphQL: ${reason}`, `say so: methods: { ${name}: { as: none } }`)
  }
  for (const [id, text] of options.persisted?.documents ?? []) {
    const document = documents().readDocument(text, schema, options)
    if ('errors' in document)
      findings.warn(path, `the persisted document ${id} is refused: ${document.errors[0].message}`, 'correct it, or take it out')
  }
}
