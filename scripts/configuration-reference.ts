/** A JSON Schema (draft 7), as far as zod writes it. */
export interface JsonSchema {
  readonly description?: string
  readonly type?: string | readonly string[]
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly pattern?: string
  readonly minimum?: number
  readonly maximum?: number
  readonly examples?: readonly unknown[]
  readonly items?: JsonSchema
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: JsonSchema | boolean
  readonly anyOf?: readonly JsonSchema[]
  readonly oneOf?: readonly JsonSchema[]
}

/** One object of the configuration: what the manual has a section for. */
interface Section {
  readonly path: string
  readonly schema: JsonSchema
  readonly words: string | undefined
}

/** Where an object is described already, by its schema. */
type Known = Map<string, string>

const intro = `# Configuration

Generated from the schema by \`node scripts/build-schema.ts\`; do not edit.

The same words in TypeScript, YAML and JSON. In YAML and JSON a value may be \`\${NAME}\` or \`\${NAME:-default}\`, from the
environment. Durations: \`250ms 5s 10m 12h 30d\`; sizes: \`64kb 1mb\`; rates: \`2/s 100/m 5000/h\`. Unknown keys are errors. In
paths, \`*\` is a name of your choice and \`[]\` an item of a list. **Bold** keys must be there.
`

/** The manual of a configuration, as Markdown: a section for each object, in the order of the schema. */
export function configurationReference(schema: JsonSchema): string {
  const known: Known = new Map()
  const parts = [intro]
  const waiting: Section[] = [{ path: '', schema: withRoutesFirst(schema), words: undefined }]
  for (let section = waiting.shift(); section !== undefined; section = waiting.shift()) {
    const { path, schema: object, words } = section
    const inner: Section[] = []
    const rows = Object.entries(object.properties ?? {})
      .filter(([key]) => key !== '$schema')
      .map(([key, value]) => rowOf(path, key, value, object.required?.includes(key) === true, known, inner))
    parts.push(`${path === '' ? '## The file' : `### \`${path}\``}\n`)
    if (words !== undefined) parts.push(`${escaped(words)}\n`)
    parts.push(`| key | value | meaning |\n|---|---|---|\n${rows.join('')}`)
    // What stands inside comes next, before what stands beside.
    waiting.unshift(...inner)
  }
  return parts.join('\n')
}

/** Policies stand in routes and in defaults: they are described where one looks for them. */
function withRoutesFirst(schema: JsonSchema): JsonSchema {
  const { defaults, ...others } = schema.properties ?? {}
  return { ...schema, properties: { ...others, ...(defaults === undefined ? {} : { defaults }) } }
}

function rowOf(path: string, key: string, schema: JsonSchema, isRequired: boolean, known: Known, inner: Section[]): string {
  const name = isRequired ? `**\`${key}\`**` : `\`${key}\``
  const place = path === '' ? key : `${path}.${key}`
  const kinds = kindsOf(place, schema, schema.description, known, inner)
  const example = schema.examples?.[0] ?? bare(schema).examples?.[0]
  const meaning = escaped(schema.description ?? bare(schema).description ?? '')
  const isUsual = kinds.every((kind) => /^(?:duration|size|rate)$/.test(kind))
  const shown = example === undefined || isUsual ? '' : ` For example \`${escaped(JSON.stringify(example))}\`.`
  return `| ${name} | ${[...new Set(kinds)].join('<br>')} | ${meaning}${shown} |\n`
}

/** What a value may be, in words; its objects get sections of their own. */
function kindsOf(path: string, schema: JsonSchema, words: string | undefined, known: Known, inner: Section[]): string[] {
  const variants = schema.anyOf ?? schema.oneOf
  if (variants !== undefined) {
    const meant = variants.filter((variant) => variant.pattern !== '\\$\\{')
    const objects = meant.filter((variant) => variant.properties !== undefined)
    return meant.flatMap((variant) => {
      const label = objects.length > 1 && variant.properties !== undefined ? ` (${distinction(variant)})` : ''
      return kindsOf(`${path}${label}`, variant, variant.description ?? (meant.length === 1 ? words : undefined), known, inner)
    })
  }
  if (schema.properties !== undefined) return [link(path, schema, words, known, inner)]
  if (typeof schema.additionalProperties === 'object')
    return kindsOf(`${path}.*`, schema.additionalProperties, words, known, inner).map((kind) => `by name: ${kind}`)
  if (schema.items !== undefined) return kindsOf(`${path}[]`, schema.items, words, known, inner).map((kind) => `list of ${kind}`)
  if (schema.const !== undefined) return [code(schema.const)]
  if (schema.enum !== undefined) return [schema.enum.map(code).join(', ')]
  return [plainKind(schema)]
}

function plainKind({ type, pattern, minimum, maximum }: JsonSchema): string {
  if (Array.isArray(type)) return type.join(' or ')
  if (type === 'integer' || type === 'number') {
    const isBounded = maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER
    return `${type}${minimum === undefined ? '' : isBounded ? `, ${minimum} to ${maximum}` : `, from ${minimum}`}`
  }
  if (pattern?.startsWith('^[0-9]+(ms|s|m|h|d)') === true) return 'duration'
  if (pattern?.startsWith('^[0-9]+(b|kb|mb|gb)') === true) return 'size'
  if (pattern?.includes('/(s|m|h|d)') === true) return 'rate'
  return typeof type === 'string' ? type : 'anything'
}

function link(path: string, schema: JsonSchema, words: string | undefined, known: Known, inner: Section[]): string {
  const key = JSON.stringify({ properties: schema.properties, required: schema.required })
  const there = known.get(key)
  if (there === undefined) {
    known.set(key, path)
    inner.push({ path, schema, words })
  }
  return `[\`${there ?? path}\`](#${anchor(there ?? path)})`
}

/** What tells an object from its alternatives: the value of its constant key, or its first key. */
function distinction({ properties = {}, required = [] }: JsonSchema): string {
  const constant = Object.entries(properties).find(([, value]) => value.const !== undefined)
  if (constant !== undefined) return `${constant[0]}: ${String(constant[1].const)}`
  return `with ${required[0] ?? Object.keys(properties)[0]}`
}

/** Without the variable that may stand for it. */
function bare(schema: JsonSchema): JsonSchema {
  return schema.anyOf?.find((variant) => variant.pattern !== '\\$\\{') ?? schema
}

const code = (value: unknown): string => `\`${String(value)}\``

function escaped(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ')
}

/** As GitHub makes it of a heading. */
function anchor(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\w\- ]/g, '')
    .replaceAll(' ', '-')
}
