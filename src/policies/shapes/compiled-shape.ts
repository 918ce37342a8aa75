import type { Exchange } from '../../core/exchange.ts'
import type { Closable, Hold } from '../../core/lasting.ts'
import { MediaTypes } from '../media-types.ts'
import { SchemaCompiler } from './schema-compiler.ts'
import type { Check } from './schema-compiler.ts'
import type { Misfit, SchemaShape, Shape } from './shape.ts'

/** A kind of content with what checks it. */
export interface CompiledContent {
  readonly types: MediaTypes
  readonly range: string
  /** What does not fit of a value that was read from so many bytes of text. */
  readonly check: (value: unknown, sizeBytes: number) => readonly Misfit[] | undefined
}

/** What a request has to be like. */
export interface Expectation {
  readonly body: {
    /** `by-method`: where the method has content as a rule. */
    readonly isRequired: 'by-method'
    readonly content: readonly CompiledContent[]
  }
}

/** A shape made ready. */
export interface CompiledShape extends Closable {
  find(x: Exchange): Expectation
}

const jsonRanges = ['application/json', 'application/*+json']

/** Makes a shape ready, or takes what a Generation before made of the same one. Throws SchemaError. */
export function compileShape(shape: Shape, hold: Hold): CompiledShape {
  return hold.take(`shape:${shape.digest}`, () => compileSchemaShape(shape))
}

function compileSchemaShape(shape: SchemaShape): CompiledShape {
  const compiler = new SchemaCompiler(shape.dialect)
  for (const [uri, schema] of shape.others) compiler.add(uri, schema)
  const content: CompiledContent = {
    types: new MediaTypes(jsonRanges),
    range: 'application/json',
    check: inBody(compiler.compile(shape.root)),
  }
  const expectation: Expectation = { body: { isRequired: 'by-method', content: [content] } }
  return { find: () => expectation, close() {} }
}

function inBody(check: Check): CompiledContent['check'] {
  return (value, sizeBytes) => check(value, sizeBytes)?.map(({ pointer, detail }) => ({ in: 'body', pointer, detail }))
}
