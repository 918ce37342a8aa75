import { lazily } from '../../lib/lazily.ts'
import type { Exchange } from '../../core/exchange.ts'
import type { Closable, Hold } from '../../core/lasting.ts'
import { MediaTypes } from '../media-types.ts'
import { readForm } from './form-fields.ts'
import { OperationTable } from './operation-table.ts'
import type { CompiledParameter } from './parameter-values.ts'
import type { Check, SchemaCompiler } from './schema-compiler.ts'
import { SchemaKinds } from './schema-kinds.ts'
import type { Content, Misfit, OpenapiShape, Operation, SchemaShape, Shape } from './shape.ts'
import type * as SchemaCompilerModule from './schema-compiler.ts'

const schemaCompiler = lazily<typeof SchemaCompilerModule>(import.meta.url, './schema-compiler')

/** A kind of content with what checks it. */
export interface CompiledContent {
  readonly types: MediaTypes
  readonly range: string
  /** What does not fit of a value that was read from so many bytes of text. */
  readonly check: (value: unknown, sizeBytes: number) => readonly Misfit[] | undefined
  /** The value of an urlencoded form; undefined when it cannot be read. Absent: forms are not taken. */
  readonly readForm?: ((text: string) => unknown) | undefined
}

/** What a request has to be like. */
export interface Expectation {
  readonly parameters: readonly CompiledParameter[]
  /** Undefined: no body is expected. */
  readonly body:
    | {
        /** `by-method`: where the method has content as a rule. */
        readonly isRequired: boolean | 'by-method'
        readonly content: readonly CompiledContent[]
      }
    | undefined
  /** By status, class of status (`2XX`) or `default`. */
  readonly answers: ReadonlyMap<string, readonly CompiledContent[]>
}

/** What a request is checked by: the expectation, or why there is none. */
export type Found =
  | { readonly kind: 'expected'; readonly expectation: Expectation; readonly params: ReadonlyMap<string, string> }
  | { readonly kind: 'no-path' }
  | { readonly kind: 'no-method'; readonly allow: readonly string[] }

/** A shape made ready. */
export interface CompiledShape extends Closable {
  find(x: Exchange): Found
}

const jsonRanges = ['application/json', 'application/*+json']
const noPath: Found = { kind: 'no-path' }

/** Makes a shape ready, or takes what a Generation before made of the same one. Throws SchemaError. */
export function compileShape(shape: Shape, hold: Hold): CompiledShape {
  return hold.take(`shape:${shape.digest}`, () =>
    shape.kind === 'schema' ? compileSchemaShape(shape) : compileOpenapiShape(shape),
  )
}

function compileSchemaShape(shape: SchemaShape): CompiledShape {
  const compiler = new (schemaCompiler().SchemaCompiler)(shape.dialect, shape)
  for (const [uri, schema] of shape.others) compiler.add(uri, schema)
  const check = inBody(compiler.compile(shape.root))
  const content: CompiledContent = { types: new MediaTypes(jsonRanges), range: 'application/json', check }
  const expectation: Expectation = { parameters: [], body: { isRequired: 'by-method', content: [content] }, answers: new Map() }
  const found: Found = { kind: 'expected', expectation, params: new Map() }
  return { find: () => found, close() {} }
}

function compileOpenapiShape(shape: OpenapiShape): CompiledShape {
  const compiler = new (schemaCompiler().SchemaCompiler)('2020-12', shape)
  for (const [uri, schema] of shape.named) compiler.add(uri, schema)
  const kinds = new SchemaKinds(new Map(shape.named))
  const table = new OperationTable<Expectation>()
  for (const operation of shape.operations) {
    table.add(operation.method, operation.path, expectationOf(operation, compiler, kinds))
  }
  return {
    find(x) {
      const reached = table.find(x.path, x.method)
      if (reached === undefined) return noPath
      if (reached.value === undefined) return { kind: 'no-method', allow: reached.allow }
      return { kind: 'expected', expectation: reached.value, params: reached.params }
    },
    close() {},
  }
}

function expectationOf({ parameters, body, answers }: Operation, compiler: SchemaCompiler, kinds: SchemaKinds): Expectation {
  const compiled = (list: readonly Content[]): CompiledContent[] => list.map((one) => compiledContent(one, compiler, kinds))
  return {
    parameters: parameters.map((parameter) => ({ ...parameter, kinds, check: compiler.compile(parameter.schema) })),
    body: body === undefined ? undefined : { isRequired: body.isRequired, content: compiled(body.content) },
    answers: new Map(answers.map(({ status, content }) => [status, compiled(content)])),
  }
}

function compiledContent(content: Content, compiler: SchemaCompiler, kinds: SchemaKinds): CompiledContent {
  return {
    types: new MediaTypes([content.range]),
    range: content.range,
    check: inBody(compiler.compile(content.schema)),
    readForm: (text) => readForm(text, content, kinds),
  }
}

function inBody(check: Check): CompiledContent['check'] {
  return (value, sizeBytes) => check(value, sizeBytes)?.map(({ pointer, detail }) => ({ in: 'body', pointer, detail }))
}
