import { dirname } from 'node:path'
import { stableJson } from '../lib/stable-json.ts'
import type { BodyOptions } from '../policies/body.ts'
import type { Shape } from '../policies/shapes/shape.ts'
import type { CheckContext } from './check-context.ts'
import { absolutePath } from './check-context.ts'
import type { ConfigPath } from './finding.ts'
import { readJsonSchema } from './read-json-schema.ts'
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
  const { schema, ...rest } = options
  if (schema === undefined) return rest
  const own: ConfigPath = ['routes', i, 'body', 'schema']
  const path = context.reading.at(own) === undefined ? ['defaults', 'body', 'schema'] : own
  if (rest.maxBytes === Infinity) {
    const message = 'a body without bound cannot be checked: it is read whole'
    context.findings.error([...path.slice(0, -1), 'max'], message, 'give max a size')
  }
  const key = typeof schema === 'string' ? absolutePath(context, schema) : stableJson(schema)
  const shape = context.shapes.take(key, () => schemaShape(context, path, schema))
  return { ...rest, shape: shape?.digest }
}

function schemaShape(context: CheckContext, path: ConfigPath, schema: string | object): Shape | undefined {
  const folder = dirname(context.findings.source.file)
  const root: SchemaFile | readonly SchemaFinding[] =
    typeof schema === 'string'
      ? context.shapes.files.open(absolutePath(context, schema))
      : { file: undefined, document: schema, locate: () => undefined }
  const { shape, findings } =
    'document' in root ? readJsonSchema(context.shapes.files, root, folder) : { shape: undefined, findings: root }
  report(context, path, schema, findings)
  return shape
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
