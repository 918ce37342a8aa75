import type { Exchange } from '../../core/exchange.ts'
import type { Closable, Hold } from '../../core/lasting.ts'
import { MediaTypes } from '../media-types.ts'
import { readParameter } from './parameter-values.ts'
import type { CompiledParameter, RequestText } from './parameter-values.ts'
import { OperationTable } from './operation-table.ts'
import { SchemaCompiler } from './schema-compiler.ts'
import type { Check } from './schema-compiler.ts'
import type { Content, Misfit, OpenapiShape, Operation, Schema, SchemaShape, Shape } from './shape.ts'
import { TextValues, readPairs, unreadable } from './text-values.ts'

/** A kind of content with what checks it. */
export interface CompiledContent {
  readonly types: MediaTypes
  readonly range: string
  readonly form: Content['form']
  /** Undefined: the text is not of the form it claims, and so is nothing. `read` says what stands in it. */
  readonly check: (value: unknown, sizeBytes: number) => readonly Misfit[] | undefined
  /** The value of an urlencoded form; undefined when it cannot be decoded. */
  readonly fields: ((text: string) => unknown) | undefined
}

/** What a request has to be like. */
export interface Expectation {
  readonly parameters: readonly CompiledParameter[]
  /** Undefined: no body is expected. */
  readonly body: { readonly isRequired: boolean | 'by-method'; readonly content: readonly CompiledContent[] } | undefined
  /** By status, class of status or `default`. */
  readonly answers: ReadonlyMap<string, readonly CompiledContent[]>
}

/** What a request is checked by: the expectation, or why there is none. */
export type Found =
  | { readonly kind: 'expected'; readonly expectation: Expectation; readonly params: ReadonlyMap<string, string> }
  | { readonly kind: 'no-path' }
  | { readonly kind: 'no-method'; readonly allow: string }

/** A shape made ready. Throws SchemaError when a schema of it cannot be compiled. */
export interface CompiledShape extends Closable {
  find(x: Exchange): Found
}

const noParams: ReadonlyMap<string, string> = new Map()
const jsonRanges = ['application/json', 'application/*+json']

/** Makes a shape ready, or takes what a Generation before made of the same one. */
export function compileShape(shape: Shape, hold: Hold): CompiledShape {
  return hold.take(`shape:${shape.digest}`, () => {
    if (shape.kind === 'schema') return compileSchemaShape(shape)
    return compileOpenapiShape(shape, hold.take(`schemas:${shape.document}`, () => new SchemaCompiler('2020-12')))
  })
}

function compileSchemaShape(shape: SchemaShape): CompiledShape {
  const compiler = new SchemaCompiler(shape.dialect)
  for (const [uri, schema] of shape.others) compiler.add(uri, schema)
  const content: CompiledContent = {
    types: new MediaTypes(jsonRanges),
    range: 'application/json',
    form: 'json',
    check: inBody(compiler.compile(shape.root)),
    fields: undefined,
  }
  const expectation: Expectation = { parameters: [], body: { isRequired: 'by-method', content: [content] }, answers: new Map() }
  const found: Found = { kind: 'expected', expectation, params: noParams }
  return { find: () => found, close() {} }
}

function compileOpenapiShape(shape: OpenapiShape, compiler: SchemaCompiler): CompiledShape {
  for (const [name, schema] of Object.entries(shape.defs)) compiler.add(name, schema)
  const values = new TextValues(shape.defs)
  const table = new OperationTable<Expectation>()
  for (const operation of shape.operations) {
    table.add(operation.method, operation.path, expectationOf(operation, compiler, values))
  }
  return {
    find(x) {
      const reached = table.find(x.path)
      if (reached === undefined) return { kind: 'no-path' }
      const { methods, params } = reached
      const expectation = methods.get(x.method) ?? (x.method === 'HEAD' ? methods.get('GET') : undefined)
      if (expectation === undefined) return { kind: 'no-method', allow: [...methods.keys()].join(', ') }
      return { kind: 'expected', expectation, params }
    },
    close() {},
  }
}

function expectationOf(operation: Operation, compiler: SchemaCompiler, values: TextValues): Expectation {
  const content = (list: readonly Content[]): CompiledContent[] => list.map((one) => compiledContent(one, compiler, values))
  const { body } = operation
  return {
    parameters: operation.parameters.map((parameter) => ({ ...parameter, values, check: compiler.compile(parameter.schema) })),
    body: body === undefined ? undefined : { isRequired: body.isRequired, content: content(body.content) },
    answers: new Map(operation.answers.map(({ status, content: list }) => [status, content(list)])),
  }
}

function compiledContent({ range, form, schema, writings }: Content, compiler: SchemaCompiler, values: TextValues): CompiledContent {
  const types = new MediaTypes([range])
  if (form === 'opaque') return { types, range, form, check: () => undefined, fields: undefined }
  const check = inBody(compiler.compile(schema))
  if (form === 'json') return { types, range, form, check, fields: undefined }
  return {
    types,
    range,
    form,
    // Of schemas that take texts and numbers, either reading may be the one that fits.
    check: (raw, sizeBytes) => {
      const misfits = check(values.typed(raw, schema, false), sizeBytes)
      return misfits === undefined || check(raw, sizeBytes) === undefined ? undefined : misfits
    },
    fields: (text) => formFields(text, schema, writings, values),
  }
}

const formWriting = { style: 'form', isExploded: true, isJson: false } as const

/** The fields of an urlencoded form, as its schema and `encoding` group them; what they do not name stands as it came. */
function formFields(text: string, schema: Schema, writings: Content['writings'], values: TextValues): unknown {
  const pairs = readPairs(text)
  if (pairs === undefined) return undefined
  const fields = Object.create(null) as Record<string, unknown>
  const taken = new Set<string>()
  for (const name of values.memberNames(schema)) {
    const writing = Object.hasOwn(writings, name) ? writings[name] : formWriting
    let value = values.gather(pairs, name, values.member(schema, name), writing)
    if (writing.isJson && typeof value === 'string') value = parsed(value)
    if (value === undefined) continue
    fields[name] = value
    taken.add(name)
  }
  for (const [key, value] of pairs) {
    const name = /^[^[]*/.exec(key)![0]
    if (!taken.has(name) && !taken.has(key)) fields[key] = value
  }
  return fields
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return unreadable
  }
}

function inBody(check: Check): CompiledContent['check'] {
  return (value, sizeBytes) => check(value, sizeBytes)?.map(({ pointer, detail }) => ({ in: 'body', pointer, detail }))
}

/** What does not fit among path, query, headers and cookies. */
export function parameterMisfits(expectation: Expectation, text: RequestText): Misfit[] {
  const misfits: Misfit[] = []
  for (const parameter of expectation.parameters) readParameter(parameter, text, misfits)
  return misfits
}
