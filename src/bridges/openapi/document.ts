import type { Descriptors } from '../descriptors/descriptors.ts'
import type { Binding } from '../grpc-json/binding.ts'
import type { PathTemplate } from '../grpc-json/path-template.ts'
import { compileRules } from '../grpc-json/rules.ts'
import { standardJson } from '../json/message-codec.ts'
import type { JsonSchema } from './message-schemas.ts'
import { MessageSchemas } from './message-schemas.ts'
import type { Operation, PathPart } from './operation.ts'
import { operationOf } from './operation.ts'

/** An OpenAPI 3.1 document of what a service offers over REST. */
export interface OpenapiDocument {
  readonly openapi: '3.1.0'
  readonly info: { readonly title: string; readonly version: string; readonly description?: string }
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, JsonSchema>> }
}

export interface OpenapiOptions {
  readonly title: string
  /** Of the document. */
  readonly version: string
}

const methods = new Set(['GET', 'PUT', 'POST', 'DELETE', 'OPTIONS', 'HEAD', 'PATCH', 'TRACE'])

const problem: JsonSchema = {
  type: 'object',
  description: 'A refusal of the gateway (RFC 9457).',
  properties: {
    type: { type: 'string', format: 'uri-reference' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    instance: { type: 'string', description: 'The id of the request.' },
    policy: { type: 'string', description: 'What refused.' },
  },
}

/**
 * Every rule of a service as an operation, with comments of the `.proto` as its words. A rule of any method stands there
 * as POST; rules of methods that OpenAPI has no word for, and methods that stream both ways, do not stand there.
 */
export function openapiDocument(descriptors: Descriptors, { title, version }: OpenapiOptions): OpenapiDocument {
  const schemas = new MessageSchemas()
  const paths = new Map<string, { path: string; names: readonly string[]; operations: Record<string, Operation> }>()
  const ids = new Map<string, number>()
  for (const binding of compileRules(descriptors, standardJson).bindings) {
    const { method, rule, template } = binding
    const verb = rule.method === '*' ? 'POST' : rule.method
    if (!methods.has(verb) || (method.streamsIn && method.streamsOut)) continue
    const parts = partsOf(template)
    const shape = pathText(
      template,
      parts.map(() => ''),
    )
    let entry = paths.get(shape)
    if (entry === undefined) {
      const names = parts.map(({ name }) => name)
      entry = { path: pathText(template, names), names, operations: {} }
      paths.set(shape, entry)
    }
    // Two paths that differ only in the names of their parameters are one path.
    const named = parts.map((part, i) => Object.assign(part, { name: entry.names[i] }))
    const verbKey = verb.toLowerCase()
    if (entry.operations[verbKey] !== undefined) continue
    entry.operations[verbKey] = operationOf(binding, idOf(binding, ids), named, schemas)
  }
  return {
    openapi: '3.1.0',
    info: { title, version },
    paths: Object.fromEntries([...paths.values()].map(({ path, operations }) => [path, operations])),
    components: { schemas: { ...schemas.all, Problem: problem } },
  }
}

/** `Service_Method`, with a number behind further rules of the same method. */
function idOf({ method }: Binding, ids: Map<string, number>): string {
  const id = `${method.desc.parent.name}_${method.desc.name}`
  const turn = (ids.get(id) ?? 0) + 1
  ids.set(id, turn)
  return turn === 1 ? id : `${id}_${turn}`
}

/** The parameters of a path: every segment that stands for any text. */
function partsOf({ segments, variables }: PathTemplate): readonly PathPart[] {
  const parts: PathPart[] = []
  const counts = new Map<number, number>()
  const wild = (index: number): number =>
    segments.slice(variables[index].start, variables[index].end).filter(({ kind }) => kind !== 'literal').length
  for (const [i, { kind }] of segments.entries()) {
    if (kind === 'literal') continue
    const variable = variables.findIndex(({ start, end }) => i >= start && i < end)
    const holdsSlashes = kind === 'rest'
    if (variable === -1) {
      parts.push({ name: `segment${parts.length + 1}`, variable: undefined, within: undefined, holdsSlashes })
      continue
    }
    const { fieldPath, isMulti } = variables[variable]
    const name = fieldPath.join('.')
    const turn = (counts.get(variable) ?? 0) + 1
    counts.set(variable, turn)
    const isOnly = wild(variable) === 1
    const within = isMulti && !(isOnly && holdsSlashes) ? name : undefined
    parts.push({ name: isOnly ? name : `${name}.${turn}`, variable, within, holdsSlashes })
  }
  return parts
}

function pathText({ segments, verb }: PathTemplate, names: readonly string[]): string {
  let next = 0
  const text = segments.map((segment) => (segment.kind === 'literal' ? segment.text : `{${names[next++]}}`)).join('/')
  return `/${text}${verb === '' ? '' : `:${verb}`}`
}
