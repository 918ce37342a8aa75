import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** One metric family as the sources open it. */
export interface Metric {
  readonly name: string
  readonly kind: 'counter' | 'gauge' | 'histogram'
  readonly help: string
  readonly labels: readonly string[]
}

const opening = /\.(counter|gauge|histogram)\(\s*|readFamily\(\s*'(counter|gauge)',\s*|#(counted)\(\s*/g
/** `OidcDesk.#counted` opens counters with these labels. */
const countedLabels = ['provider', 'result']

/** Every metric family that the sources of this checkout open, by name. Throws where one cannot be read whole. */
export function readMetrics(root: string): Metric[] {
  const metrics = new Map<string, Metric>()
  const files = globSync('src/**/*.ts', { cwd: root }).filter((file) => !file.endsWith('.test.ts'))
  for (const file of files.sort()) {
    const source = readFileSync(join(root, file), 'utf8')
    for (const found of source.matchAll(opening)) {
      const words = argumentsAt(source, found.index + found[0].length)
      const name = textOf(words[0], source)
      if (name === undefined || !/^(?:velum|process)_/.test(name)) continue
      const help = textOf(words[1], source)
      if (help === undefined) throw new Error(`${file}: the help of ${name} is no text that stands in the file`)
      const labels = found[3] === 'counted' ? countedLabels : labelsOf(words[2], source)
      if (labels === undefined) throw new Error(`${file}: the labels of ${name} do not stand in the file`)
      const kind = (found[1] ?? found[2] ?? 'counter') as Metric['kind']
      const known = metrics.get(name)
      if (known !== undefined && (known.kind !== kind || known.help !== help || known.labels.join() !== labels.join()))
        throw new Error(`${file}: ${name} is opened in two ways`)
      metrics.set(name, { name, kind, help, labels })
    }
  }
  return [...metrics.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** The arguments of a call, as they are written, from behind its parenthesis. */
function argumentsAt(source: string, start: number): string[] {
  const parts: string[] = []
  let depth = 0
  let from = start
  for (let i = start; i < source.length; i++) {
    const c = source[i]
    if (c === "'" || c === '`' || c === '"') {
      while (source[++i] !== c) if (source[i] === '\\') i++
    } else if ('([{'.includes(c)) depth++
    else if (depth === 0 && (c === ',' || c === ')')) {
      parts.push(source.slice(from, i).trim())
      if (c === ')') return parts
      from = i + 1
    } else if (')]}'.includes(c)) depth--
  }
  return parts
}

/** A text that is written out, or the name of a constant of the same file that is one. */
function textOf(word: string | undefined, source: string): string | undefined {
  if (word === undefined) return undefined
  const literal = /^(['"])(.*)\1$/s.exec(word)
  if (literal !== null) return literal[2].replaceAll(/\\(['"])/g, '$1')
  if (!/^\w+$/.test(word)) return undefined
  const constant = new RegExp(`const ${word} =\\s*(['"])((?:\\\\.|(?!\\1).)*)\\1`).exec(source)
  return constant?.[2].replaceAll(/\\(['"])/g, '$1')
}

/** The keys of the first object that is written out: labels, or those of the first reading of a family; or those of a constant. */
function labelsOf(word: string | undefined, source: string): string[] | undefined {
  if (word === undefined || word === '') return []
  const written = /^\w+$/.test(word) ? new RegExp(`const ${word} = (\\{[^{}]*\\})`).exec(source)?.[1] : word
  const object = (/\[\s*\{([^{}]*)\}/.exec(written ?? '') ?? /\{([^{}]*)\}/.exec(written ?? ''))?.[1]
  return object
    ?.split(',')
    .map((part) => /^\s*(\w+)/.exec(part)?.[1])
    .filter((name) => name !== undefined)
}
