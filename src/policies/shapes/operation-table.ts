/** One segment of a path template, compiled: a literal, or what catches names between literals. */
type Step = string | { readonly literals: readonly string[]; readonly names: readonly string[] }

interface Entry<T> {
  readonly steps: readonly Step[]
  readonly methods: Map<string, T>
}

/** What a request leads to: an operation with what its template caught, decoded; or the methods that its path has. */
export type Reached<T> =
  | { readonly value: T; readonly params: ReadonlyMap<string, string> }
  | { readonly value: undefined; readonly allow: readonly string[] }

const nothing: ReadonlyMap<string, string> = new Map()

/**
 * Finds operations by path as OpenAPI says it: concrete paths before templated ones, whatever their order. A template may
 * catch a part of a segment: `/compare/{base}...{head}`. Where one path has not the method, the next that fits is asked.
 */
export class OperationTable<T> {
  readonly #concrete = new Map<string, Map<string, T>>()
  /** By number of segments, those with literals further left first. */
  readonly #templated = new Map<number, Entry<T>[]>()

  add(method: string, template: string, value: T): void {
    if (!template.includes('{')) {
      const known = this.#concrete.get(template)
      if (known === undefined) this.#concrete.set(template, new Map([[method, value]]))
      else known.set(method, value)
      return
    }
    const steps = template.slice(1).split('/').map(stepOf)
    const entries = this.#templated.get(steps.length) ?? []
    this.#templated.set(steps.length, entries)
    const same = entries.find((entry) => JSON.stringify(entry.steps) === JSON.stringify(steps))
    if (same !== undefined) {
      same.methods.set(method, value)
      return
    }
    entries.push({ steps, methods: new Map([[method, value]]) })
    entries.sort((a, b) => compare(a.steps, b.steps))
  }

  /** `path` is normalised; undefined where no template fits it. A HEAD is a GET where nothing else is said. */
  find(path: string, method: string): Reached<T> | undefined {
    const allow: string[] = []
    const concrete = this.#concrete.get(path)
    if (concrete !== undefined) {
      const value = operationOf(concrete, method)
      if (value !== undefined) return { value, params: nothing }
      allow.push(...concrete.keys())
    }
    const segments = path.slice(1).split('/')
    for (const { steps, methods } of this.#templated.get(segments.length) ?? []) {
      const value = operationOf(methods, method)
      const params = caughtBy(steps, segments)
      if (params === undefined) continue
      if (value !== undefined) return { value, params }
      allow.push(...methods.keys())
    }
    return allow.length === 0 ? undefined : { value: undefined, allow: [...new Set(allow)] }
  }
}

function operationOf<T>(methods: ReadonlyMap<string, T>, method: string): T | undefined {
  return methods.get(method) ?? (method === 'HEAD' ? methods.get('GET') : undefined)
}

function stepOf(segment: string): Step {
  if (!segment.includes('{')) return segment
  const pieces = segment.split(/\{([^{}]*)\}/)
  return { literals: pieces.filter((_, i) => i % 2 === 0), names: pieces.filter((_, i) => i % 2 === 1) }
}

function caughtBy(steps: readonly Step[], segments: readonly string[]): Map<string, string> | undefined {
  for (let i = 0; i < steps.length; i++) {
    const step = steps[i]
    if (typeof step === 'string' && step !== segments[i]) return undefined
  }
  const params = new Map<string, string>()
  for (let i = 0; i < steps.length; i++) {
    const step = steps[i]
    if (typeof step !== 'string' && !catchParts(step, segments[i], params)) return undefined
  }
  return params
}

/** Each name catches as little as it can, the last one what is left; none catches nothing. */
function catchParts({ literals, names }: Exclude<Step, string>, segment: string, params: Map<string, string>): boolean {
  if (!segment.startsWith(literals[0])) return false
  const last = literals.length - 1
  const end = segment.length - literals[last].length
  let from = literals[0].length
  for (let i = 0; i < last; i++) {
    const to = i + 1 === last ? end : segment.indexOf(literals[i + 1], from + 1)
    if (to <= from) return false
    params.set(names[i], decodeURIComponent(segment.slice(from, to)))
    from = to + literals[i + 1].length
  }
  return segment.endsWith(literals[last])
}

/** Literal before partly literal before caught whole, segment by segment. */
function compare(a: readonly Step[], b: readonly Step[]): number {
  for (let i = 0; i < a.length; i++) {
    const difference = rank(a[i]) - rank(b[i])
    if (difference !== 0) return difference
  }
  return 0
}

function rank(step: Step): number {
  if (typeof step === 'string') return 0
  return step.literals.some((literal) => literal !== '') ? 1 : 2
}
