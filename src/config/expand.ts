import type { ConfigPath } from './finding.ts'
import { pathText } from './finding.ts'

/** A `${…}` that could not be expanded. */
export interface ExpandFault {
  readonly path: ConfigPath
  readonly message: string
  readonly remedy: string
}

export interface Expanded {
  readonly input: unknown
  /** Values that came from the environment: the path's text → the text as it was written. */
  readonly expansions: ReadonlyMap<string, string>
  /** What the variables held that were used, and the text that may stand in a message in its place. */
  readonly hidden: ReadonlyMap<string, string>
  readonly faults: readonly ExpandFault[]
}

/**
 * Expands `${NAME}` and `${NAME:-default}` in every string value; `$${` stands for `${`. As in a shell, the default
 * also takes the place of an empty variable. Without a default an unset variable is a fault. Names of members stay as they are.
 */
export function expandEnvironment(input: unknown, env: NodeJS.ProcessEnv): Expanded {
  const expansions = new Map<string, string>()
  const hidden = new Map<string, string>()
  const faults: ExpandFault[] = []
  const used = (name: string, held: string): void => {
    // A short or numeric value is no secret, and would be found inside other words.
    if (held.length >= 6 && !/^\d+$/.test(held)) hidden.set(held, `\${${name}}`)
  }
  const place: (string | number)[] = []
  // What holds nothing to expand stays the object that it is: most of a large configuration.
  const walk = (value: unknown): unknown => {
    if (typeof value === 'string') {
      if (!value.includes('${')) return value
      const path = [...place]
      const known = faults.length
      const text = expandText(value, env, used, (message, remedy) => faults.push({ path, message, remedy }))
      if (text !== value.replaceAll('$${', '${') || faults.length > known) expansions.set(pathText(path), value)
      return text
    }
    if (typeof value !== 'object' || value === null) return value
    const isList = Array.isArray(value)
    const changes: [string, unknown][] = []
    for (const name of Object.keys(value)) {
      const member = (value as Record<string, unknown>)[name]
      if (typeof member !== 'string' && (typeof member !== 'object' || member === null)) continue
      place.push(isList ? Number(name) : name)
      const walked = walk(member)
      place.pop()
      if (walked !== member) changes.push([name, walked])
    }
    if (changes.length === 0) return value
    if (isList) {
      const list: unknown[] = [...(value as unknown[])]
      for (const [name, member] of changes) list[Number(name)] = member
      return list
    }
    return Object.fromEntries([...Object.entries(value), ...changes])
  }
  return { input: walk(input), expansions, hidden, faults }
}

/** Whether the text as written is one variable and nothing else, so that its value may be a number or a boolean. */
export function isOneVariable(written: string): boolean {
  return /^\$\{[A-Za-z_]\w*(?::-[^}]*)?\}$/.test(written)
}

function expandText(
  text: string,
  env: NodeJS.ProcessEnv,
  used: (name: string, held: string) => void,
  report: (message: string, remedy: string) => void,
): string {
  return text.replace(/\$?\$\{([^}]*)(\})?/g, (whole, inside: string, end: string | undefined) => {
    if (whole.startsWith('$$')) return whole.slice(1)
    const match = /^([A-Za-z_]\w*)(?::-(.*))?$/s.exec(inside)
    if (end === undefined || match === null) {
      report('a "${" is not followed by a variable name and "}"', 'write ${NAME} or ${NAME:-default}, or $${ for a literal ${')
      return whole
    }
    const [, name, fallback] = match
    const value = env[name]
    if (value !== undefined && (value !== '' || fallback === undefined)) {
      used(name, value)
      return value
    }
    if (fallback !== undefined) return fallback
    report(`the environment variable ${name} is not set`, `set ${name}, or give a default: \${${name}:-value}`)
    return ''
  })
}
