/** One segment of a path template, compiled: a literal, or what catches names. */
type Step = string | { readonly pattern: RegExp | undefined; readonly names: readonly string[] }

interface Entry<T> {
  readonly steps: readonly Step[]
  readonly methods: Map<string, T>
}

/** What a path of OpenAPI leads to, and what its template caught. */
export interface Reached<T> {
  readonly methods: ReadonlyMap<string, T>
  readonly params: ReadonlyMap<string, string>
}

const nothing: ReadonlyMap<string, string> = new Map()

/**
 * Finds operations by path as OpenAPI says it: concrete paths before templated ones, whatever their order. A template may
 * catch a part of a segment: `/compare/{base}...{head}`.
 */
export class OperationTable<T> {
  readonly #concrete = new Map<string, Map<string, T>>()
  /** By number of segments, those with the longer run of literals first. */
  readonly #templated = new Map<number, Entry<T>[]>()

  add(method: string, template: string, value: T): void {
    if (!template.includes('{')) {
      put(this.#concrete, template).set(method, value)
      return
    }
    const steps = template.slice(1).split('/').map(stepOf)
    const entries = this.#templated.get(steps.length) ?? []
    const same = entries.find((entry) => isSame(entry.steps, steps))
    if (same !== undefined) {
      same.methods.set(method, value)
      return
    }
    entries.push({ steps, methods: new Map([[method, value]]) })
    entries.sort((a, b) => compare(a.steps, b.steps))
    this.#templated.set(steps.length, entries)
  }

  /** `path` is normalised; undefined where no template fits it. */
  find(path: string): Reached<T> | undefined {
    const concrete = this.#concrete.get(path)
    if (concrete !== undefined) return { methods: concrete, params: nothing }
    const segments = path.slice(1).split('/')
    for (const { steps, methods } of this.#templated.get(segments.length) ?? []) {
      const params = caught(steps, segments)
      if (params !== undefined) return { methods, params }
    }
    return undefined
  }
}

function put<T>(tables: Map<string, Map<string, T>>, key: string): Map<string, T> {
  const table = tables.get(key) ?? new Map<string, T>()
  tables.set(key, table)
  return table
}

function stepOf(segment: string): Step {
  if (!segment.includes('{')) return segment
  const names: string[] = []
  const pattern = segment.split(/(\{[^{}]*\})/).map((piece) => {
    if (!piece.startsWith('{')) return piece.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
    names.push(piece.slice(1, -1))
    return '(.+?)'
  })
  return { names, pattern: names.length === 1 && segment.endsWith('}') && segment.startsWith('{') ? undefined : new RegExp(`^${pattern.join('')}$`) }
}

function caught(steps: readonly Step[], segments: readonly string[]): Map<string, string> | undefined {
  for (const [i, step] of steps.entries()) if (typeof step === 'string' && step !== segments[i]) return undefined
  const params = new Map<string, string>()
  for (const [i, step] of steps.entries()) {
    if (typeof step === 'string') continue
    const segment = segments[i]
    if (segment === '') return undefined
    if (step.pattern === undefined) {
      params.set(step.names[0], decodeURIComponent(segment))
      continue
    }
    const match = step.pattern.exec(segment)
    if (match === null) return undefined
    for (const [n, name] of step.names.entries()) params.set(name, decodeURIComponent(match[n + 1]))
  }
  return params
}

function isSame(a: readonly Step[], b: readonly Step[]): boolean {
  return a.every((step, i) => {
    const other = b[i]
    return typeof step === 'string' || typeof other === 'string' ? step === other : step.pattern?.source === other.pattern?.source
  })
}

/** Literal before partly literal before caught whole, segment by segment. */
function compare(a: readonly Step[], b: readonly Step[]): number {
  const rank = (step: Step): number => (typeof step === 'string' ? 0 : step.pattern === undefined ? 2 : 1)
  for (const [i, step] of a.entries()) if (rank(step) !== rank(b[i])) return rank(step) - rank(b[i])
  return 0
}
