/** Gives the things of a schema their names: the short one where nobody else wants it, else the full one. */
export class NamePlan {
  readonly #wanted = new Map<string, { readonly short: string; readonly full: string }>()
  readonly #reserved: ReadonlySet<string>
  #names: ReadonlyMap<string, string> | undefined = undefined

  constructor(reserved: Iterable<string>) {
    this.#reserved = new Set(reserved)
  }

  /** Says that `key` needs a name. The outcome does not depend on the order in which this is said. */
  want(key: string, short: string, full: string): void {
    this.#wanted.set(key, { short: nameOf(short), full: nameOf(full) })
  }

  /** The name of what was wanted under this key. */
  of(key: string): string {
    this.#names ??= this.#settle()
    const name = this.#names.get(key)
    if (name === undefined) throw new Error(`no name was wanted for ${key}`)
    return name
  }

  #settle(): ReadonlyMap<string, string> {
    const counts = new Map<string, number>()
    for (const { short } of this.#wanted.values()) counts.set(short, (counts.get(short) ?? 0) + 1)
    const names = new Map<string, string>()
    const taken = new Set(this.#reserved)
    const keys = [...this.#wanted.keys()].toSorted()
    const isAlone = (short: string): boolean => counts.get(short) === 1 && !this.#reserved.has(short)
    for (const key of keys) {
      const { short } = this.#wanted.get(key)!
      if (!isAlone(short)) continue
      names.set(key, short)
      taken.add(short)
    }
    for (const key of keys) {
      if (names.has(key)) continue
      const { full } = this.#wanted.get(key)!
      let name = full
      for (let n = 2; taken.has(name); n++) name = `${full}_${n}`
      names.set(key, name)
      taken.add(name)
    }
    return names
  }
}

/** Text as a name of GraphQL: what a name cannot hold becomes "_", and none begins with the "__" of introspection. */
export function nameOf(text: string): string {
  const name = text.replaceAll(/[^_0-9A-Za-z]/g, '_').replace(/^__+/, '_')
  return name === '' || /^[0-9]/.test(name) ? `_${name}` : name
}

/** `snake_case` or `PascalCase` as `PascalCase`. */
export function pascalCase(text: string): string {
  return text.replaceAll(/(?:^|_+)([A-Za-z0-9])/g, (_, letter: string) => letter.toUpperCase())
}

/** `PascalCase` or `snake_case` as `camelCase`; a run of capitals at the start goes down as one (`HTTPGet` → `httpGet`). */
export function camelCase(text: string): string {
  return pascalCase(text).replace(/^[A-Z]+(?![a-z])|^[A-Z]/, (start) => start.toLowerCase())
}
