import { lazily } from '../lib/lazily.ts'
import { createHash } from 'node:crypto'
import { stableJson } from '../lib/stable-json.ts'
import { parseMediaRange } from '../policies/media-types.ts'
import { pointerStep } from '../policies/shapes/schema-tree.ts'
import type { Keywords } from '../policies/shapes/schema-tree.ts'
import { parameterPlaces, parameterStyles } from '../policies/shapes/shape.ts'
import type {
  Answered,
  Content,
  OpenapiShape,
  Operation,
  Parameter,
  ParameterPlace,
  ParameterStyle,
  Writing,
} from '../policies/shapes/shape.ts'
import { normalLiteral, PatternError } from '../routing/path-pattern.ts'
import { membersOf } from './members-of.ts'
import { OpenapiSchemas } from './openapi-schemas.ts'
import type { Direction, Place } from './openapi-schemas.ts'
import { findingAt } from './schema-files.ts'
import type { SchemaFile, SchemaFiles, SchemaFinding } from './schema-files.ts'
import type * as SchemaCompilerModule from '../policies/shapes/schema-compiler.ts'

const schemaCompiler = lazily<typeof SchemaCompilerModule>(import.meta.url, '../policies/shapes/schema-compiler')

/** What reading a description came to. */
export interface ReadOpenapi {
  /** Undefined when there is an error among the findings. */
  readonly shape: OpenapiShape | undefined
  readonly findings: readonly SchemaFinding[]
}

const methods = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'] as const

/**
 * Reads an OpenAPI description (3.0 or 3.1) with the files that it names. `base` is where its paths begin; by itself the path
 * of its first server. What is answered is read only with `withAnswers`: it is the larger part. Nothing is fetched.
 */
export function readOpenapi(files: SchemaFiles, root: SchemaFile, base?: string, withAnswers = false): ReadOpenapi {
  const document = root.document as Keywords
  const version = typeof document === 'object' && document !== null ? document['openapi'] : undefined
  if (typeof version !== 'string' || !/^3\.[01](?:\.|$)/.test(version)) {
    const message = `this is no OpenAPI description of version 3.0 or 3.1${typeof version === 'string' ? ` but of ${version.slice(0, 20)}` : ''}`
    return {
      shape: undefined,
      findings: [findingAt(root, '#', message, 'give one that begins with "openapi: 3.1.0" or "openapi: 3.0.3"')],
    }
  }
  return new Reader(files, root, version.startsWith('3.0'), withAnswers).read(base ?? serverPath(document))
}

/** The path of a description's first server, '' at the root; names in it stand for their defaults. */
export function serverPath(document: Keywords): string {
  const url = serverUrl(document)
  const path = url === undefined ? '' : new URL(url, 'http://localhost').pathname
  return path.replace(/\/+$/, '')
}

/** The URL of a description's first server as it is written, with its names replaced by their defaults. */
export function serverUrl(document: Keywords): string | undefined {
  const { servers } = document
  const first = (Array.isArray(servers) ? servers[0] : undefined) as Keywords | undefined
  if (typeof first !== 'object' || first === null || typeof first['url'] !== 'string') return undefined
  const variables = membersOf(first['variables'])
  const url = first['url'].replace(/\{([^{}]*)\}/g, (whole, name: string) => {
    const value = membersOf(variables[name])['default']
    return typeof value === 'string' ? value : whole
  })
  return URL.canParse(url, 'http://localhost') ? url : undefined
}

class Reader {
  readonly #root: SchemaFile
  readonly #schemas: OpenapiSchemas
  readonly #findings: SchemaFinding[]
  readonly #withAnswers: boolean
  readonly #places = new Map<Operation, Place>()

  constructor(files: SchemaFiles, root: SchemaFile, isOld: boolean, withAnswers: boolean) {
    this.#root = root
    this.#withAnswers = withAnswers
    this.#schemas = new OpenapiSchemas(files, isOld)
    this.#findings = this.#schemas.findings
  }

  read(base: string): ReadOpenapi {
    const operations = this.#operations(base)
    if (operations.length === 0 && this.#findings.length === 0) {
      this.#error({ file: this.#root, pointer: '#' }, 'the description has no operation', 'add paths')
    }
    const named = [...this.#schemas.named].map(([uri, { schema }]) => [uri, schema] as const)
    if (!this.#hasErrors) this.#compile(operations)
    if (this.#hasErrors) return { shape: undefined, findings: this.#findings }
    const shape: OpenapiShape = { kind: 'openapi', digest: '', operations, named }
    const digest = createHash('sha256').update(stableJson(shape)).digest('base64url')
    return { shape: { ...shape, digest }, findings: this.#findings }
  }

  get #hasErrors(): boolean {
    return this.#findings.some(({ severity }) => severity === 'error')
  }

  #warn({ file, pointer }: Place, message: string, remedy: string): undefined {
    this.#findings.push(findingAt(file, pointer, message, remedy, 'warning'))
  }

  #error({ file, pointer }: Place, message: string, remedy: string): undefined {
    this.#findings.push(findingAt(file, pointer, message, remedy))
  }

  #operations(base: string): Operation[] {
    const { paths } = this.#root.document as Keywords
    const operations: Operation[] = []
    for (const template of Object.keys(typeof paths === 'object' && paths !== null ? paths : {})) {
      if (template.startsWith('x-')) continue
      const written: Place = { file: this.#root, pointer: `#/paths/${fragmentStep(template)}` }
      const path = this.#path(base, template, written)
      const item = this.#schemas.object(written)
      if (path === undefined || item === undefined) continue
      const shared = this.#parameters(item.value, item.place)
      for (const method of methods) {
        const operation = item.value[method]
        if (typeof operation !== 'object' || operation === null) continue
        const place = { file: item.place.file, pointer: `${item.place.pointer}/${method}` }
        const read = this.#operation(method.toUpperCase(), path, shared, operation as Keywords, place)
        operations.push(read)
        this.#places.set(read, place)
      }
    }
    return operations
  }

  /** A template with its literals as the gateway reads paths. */
  #path(base: string, template: string, place: Place): string | undefined {
    if (!template.startsWith('/')) return this.#error(place, 'is no path', 'begin it with "/"')
    try {
      return (base + template)
        .split('/')
        .map((segment) => {
          const pieces = segment.split(/(\{[^{}]*\})/)
          return pieces.map((piece) => (piece.startsWith('{') || piece === '' ? piece : normalLiteral(piece, 0))).join('')
        })
        .join('/')
    } catch (thrown) {
      if (!(thrown instanceof PatternError)) throw thrown
      return this.#warn(place, `is left out, since no request can have this path: ${thrown.message}`, thrown.remedy)
    }
  }

  #operation(method: string, path: string, shared: ReadonlyMap<string, Parameter>, operation: Keywords, place: Place): Operation {
    const parameters = new Map([...shared, ...this.#parameters(operation, place)])
    const body = operation['requestBody'] === undefined ? undefined : this.#schemas.object(below(place, 'requestBody'))
    return {
      method,
      path,
      parameters: [...parameters.values()],
      body:
        body === undefined
          ? undefined
          : { isRequired: body.value['required'] === true, content: this.#content(body.value, body.place, 'request') },
      answers: this.#withAnswers ? this.#answers(operation, place) : [],
    }
  }

  #answers(operation: Keywords, place: Place): Answered[] {
    const answers: Answered[] = []
    for (const status of Object.keys(membersOf(operation['responses']))) {
      if (status.startsWith('x-')) continue
      if (!/^(?:[1-5](?:\d\d|XX)|default)$/.test(status)) {
        this.#error(below(place, 'responses', status), 'is no status', 'write one such as "200", "2XX", or default')
        continue
      }
      const answer = this.#schemas.object(below(place, 'responses', status))
      if (answer !== undefined) answers.push({ status, content: this.#content(answer.value, answer.place, 'answer') })
    }
    return answers
  }

  #content(holder: Keywords, place: Place, direction: Direction): Content[] {
    const list: Content[] = []
    for (const [written, described] of Object.entries(membersOf(holder['content']))) {
      const media = membersOf(described)
      const at = below(place, 'content', written)
      const range = parseMediaRange(written.split(';')[0].trim())
      if (range === undefined) {
        this.#warn(at, 'is left out, since it is no media type', 'write one such as application/json')
        continue
      }
      const schema = media['schema'] === undefined ? true : this.#schemas.schemaAt(below(at, 'schema'), direction)
      list.push({ range, schema, writings: this.#writings(media['encoding'], below(at, 'encoding')) })
    }
    return list
  }

  #writings(encoding: unknown, place: Place): Record<string, Writing> {
    const writings: Record<string, Writing> = {}
    for (const [name, described] of Object.entries(membersOf(encoding))) {
      const written = membersOf(described)
      const isJson = typeof written['contentType'] === 'string' && /^application\/(?:.*\+)?json\b/i.test(written['contentType'])
      writings[name] = { ...this.#writing(written, 'form', below(place, name)), isJson }
    }
    return writings
  }

  #writing(written: Keywords, usual: ParameterStyle, place: Place): Omit<Writing, 'isJson'> {
    const style = written['style'] ?? usual
    if (!parameterStyles.includes(style as ParameterStyle)) {
      this.#error(below(place, 'style'), 'is no style', `use one of ${parameterStyles.join(', ')}`)
      return { style: usual, isExploded: usual === 'form' }
    }
    return { style: style as ParameterStyle, isExploded: (written['explode'] ?? style === 'form') === true }
  }

  #parameters(holder: Keywords, place: Place): Map<string, Parameter> {
    const found = new Map<string, Parameter>()
    const { parameters } = holder
    if (!Array.isArray(parameters)) return found
    for (const i of parameters.keys()) {
      const written = this.#schemas.object(below(place, 'parameters', String(i)))
      const parameter = written === undefined ? undefined : this.#parameter(written.value, written.place)
      if (parameter !== undefined) found.set(`${parameter.place} ${parameter.name}`, parameter)
    }
    return found
  }

  #parameter(written: Keywords, at: Place): Parameter | undefined {
    const { name, in: place } = written
    if (typeof name !== 'string' || name === '') return this.#error(at, 'has no name', 'add one')
    if (!parameterPlaces.includes(place as ParameterPlace)) {
      return this.#error(below(at, 'in'), 'is no place of parameters', `use one of ${parameterPlaces.join(', ')}`)
    }
    const isHeader = place === 'header'
    // OpenAPI says of these that they are described elsewhere.
    if (isHeader && /^(?:accept|content-type|authorization)$/i.test(name)) return undefined
    const [type, media] = Object.entries(membersOf(written['content']))[0] ?? []
    const schema =
      type !== undefined
        ? membersOf(media)['schema'] === undefined
          ? true
          : this.#schemas.schemaAt(below(at, 'content', type, 'schema'), 'request')
        : written['schema'] === undefined
          ? true
          : this.#schemas.schemaAt(below(at, 'schema'), 'request')
    return {
      place: place as ParameterPlace,
      name: isHeader ? name.toLowerCase() : name,
      isRequired: written['required'] === true || place === 'path',
      mayBeEmpty: place === 'query' && written['allowEmptyValue'] === true,
      schema,
      isJson: type !== undefined && /^application\/(?:.*\+)?json\b/i.test(type),
      ...this.#writing(written, place === 'path' || isHeader ? 'simple' : 'form', at),
    }
  }

  /** Compiles everything once, so that what cannot be compiled is said with its place. */
  #compile(operations: readonly Operation[]): void {
    const compiler = new (schemaCompiler().SchemaCompiler)(
      '2020-12',
      [operations, [...this.#schemas.named.values()].map(({ schema }) => schema)],
      true,
    )
    const attempt = (place: Place, run: () => void): void => {
      try {
        run()
      } catch (thrown) {
        this.#error(place, `is a schema that cannot be compiled: ${(thrown as Error).message}`, 'correct what the message names')
      }
    }
    for (const [uri, { schema, place }] of this.#schemas.named) attempt(place, () => compiler.add(uri, schema))
    if (this.#hasErrors) return
    for (const operation of operations) {
      const { parameters, body, answers } = operation
      const place = this.#places.get(operation)!
      const inOperation = (what: string, run: () => void): void => {
        attempt(place, () => {
          try {
            run()
          } catch (thrown) {
            throw new Error(`${what}: ${(thrown as Error).message}`, { cause: thrown })
          }
        })
      }
      for (const { name, schema } of parameters) inOperation(`the parameter ${name}`, () => compiler.compile(schema))
      for (const { range, schema } of body?.content ?? []) inOperation(`the body as ${range}`, () => compiler.compile(schema))
      for (const { status, content } of answers) {
        for (const { schema } of content) inOperation(`the answer ${status}`, () => compiler.compile(schema))
      }
    }
  }
}

function below({ file, pointer }: Place, ...names: readonly string[]): Place {
  return { file, pointer: [pointer, ...names.map(fragmentStep)].join('/') }
}

function fragmentStep(name: string): string {
  return encodeURIComponent(pointerStep(name))
}
