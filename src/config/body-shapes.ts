import { dirname } from 'node:path'
import { stableJson } from '../lib/stable-json.ts'
import type { BodyOptions, OpenapiInput } from '../policies/body.ts'
import type { Shape } from '../policies/shapes/shape.ts'
import type { CheckContext } from './check-context.ts'
import { absolutePath } from './check-context.ts'
import type { ConfigPath } from './finding.ts'
import { readJsonSchema } from './read-json-schema.ts'
import { readOpenapi } from './read-openapi.ts'
import { pathOf, SchemaFiles } from './schema-files.ts'
import type { SchemaFile, SchemaFinding } from './schema-files.ts'

/** What request bodies of a configuration are checked by: each is read once, however many routes name it. */
export class BodyShapes {
  readonly files = new SchemaFiles()
  readonly #made = new Map<string, Shape | undefined>()
  readonly #used = new Map<string, Shape>()

  /** Those that routes use, each once. */
  get used(): readonly Shape[] {
    return [...this.#used.values()]
  }

  /** The shape under `key`, made when it is first asked for; undefined when there was something wrong with it. */
  take(key: string, make: () => Shape | undefined): Shape | undefined {
    if (!this.#made.has(key)) this.#made.set(key, make())
    const shape = this.#made.get(key)
    if (shape !== undefined) this.#used.set(shape.digest, shape)
    return shape
  }
}

/** The options of a route's body with its form read; findings where that cannot be. */
export function checkBody(context: CheckContext, i: number, options: BodyOptions): BodyOptions {
  const { schema, openapi, ...rest } = options
  const form = schema === undefined ? 'openapi' : 'schema'
  const own: ConfigPath = ['routes', i, 'body', form]
  const path = context.reading.at(own) === undefined ? ['defaults', 'body', form] : own
  if ((schema !== undefined || openapi !== undefined) && rest.maxBytes === Infinity) {
    const message = 'a body without bound cannot be checked: it is read whole'
    context.findings.error([...path.slice(0, -1), 'max'], message, 'give max a size')
  }
  if (schema !== undefined) {
    const key = typeof schema === 'string' ? absolutePath(context, schema) : stableJson(schema)
    return { ...rest, shape: context.shapes.take(key, () => schemaShape(context, path, schema))?.digest }
  }
  if (openapi === undefined) return rest
  const { file, base, responses }: OpenapiInput = typeof openapi === 'string' ? { file: openapi } : openapi
  const absolute = absolutePath(context, file)
  const withAnswers = responses !== undefined
  const key = JSON.stringify([absolute, base, withAnswers])
  const shape = context.shapes.take(key, () => openapiShape(context, path, absolute, base, withAnswers))
  return { ...rest, shape: shape?.digest, ...(responses === undefined ? {} : { checksAnswers: true }) }
}

function openapiShape(
  context: CheckContext,
  path: ConfigPath,
  file: string,
  base: string | undefined,
  withAnswers: boolean,
): Shape | undefined {
  const root = context.shapes.files.open(file)
  const read =
    'document' in root
      ? readOpenapi(context.shapes.files, root, base?.replace(/\/+$/, ''), withAnswers)
      : { shape: undefined, findings: root }
  report(context, path, undefined, read.findings)
  return read.shape
}

function schemaShape(context: CheckContext, path: ConfigPath, schema: string | object): Shape | undefined {
  const folder = dirname(context.findings.source.file)
  const root: SchemaFile | readonly SchemaFinding[] =
    typeof schema === 'string'
      ? context.shapes.files.open(absolutePath(context, schema))
      : { file: undefined, document: schema, locate: () => undefined }
  const read = 'document' in root ? readJsonSchema(context.shapes.files, root, folder) : { shape: undefined, findings: root }
  report(context, path, schema, read.findings)
  return read.shape
}

/** Hands findings on, with their place in the configuration and in the file that is at fault. */
function report(context: CheckContext, path: ConfigPath, written: unknown, found: readonly SchemaFinding[]): void {
  const { findings } = context
  for (const file of context.shapes.files.files) context.files.add(file)
  for (const { severity, file, pointer, message, remedy, line, column } of found) {
    if (file === undefined) {
      const place = [...path, ...pathOf(written, pointer)]
      if (severity === 'error') findings.error(place, message, remedy)
      else findings.warn(place, message, remedy)
    } else if (severity === 'error') findings.errorIn({ file, line, column }, path, message, remedy)
    else findings.warnIn({ file, line, column }, path, message, remedy)
  }
}
