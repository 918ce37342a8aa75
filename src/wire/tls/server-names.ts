/** Which of several certificates serves a name: exact names before wildcards, earlier certificates before later ones. */
export class ServerNames {
  readonly #exact = new Map<string, number>()
  /** By what follows the "*": `.example.com`. */
  readonly #wildcards = new Map<string, number>()
  readonly #covered: readonly ReadonlySet<string>[]

  constructor(namesByCertificate: readonly (readonly string[])[]) {
    for (const [index, names] of namesByCertificate.entries()) {
      for (const name of names) {
        const [table, key] = name.startsWith('*.') ? [this.#wildcards, name.slice(1)] : [this.#exact, name]
        if (!table.has(key)) table.set(key, index)
      }
    }
    this.#covered = namesByCertificate.map((names) => new Set(names))
  }

  /** The certificate for this lower-case name, or -1. A wildcard stands for exactly one label (RFC 9525 §6.3). */
  find(name: string): number {
    const exact = this.#exact.get(name)
    if (exact !== undefined) return exact
    const dot = name.indexOf('.')
    return dot > 0 ? (this.#wildcards.get(name.slice(dot)) ?? -1) : -1
  }

  /** Whether this certificate is good for this lower-case name, be there a better one or not. */
  covers(certificate: number, name: string): boolean {
    const names = this.#covered[certificate]
    if (names.has(name)) return true
    const dot = name.indexOf('.')
    return dot > 0 && names.has(`*${name.slice(dot)}`)
  }
}

/** The host of a validated lower-case authority: no port, no brackets, no final dot. */
export function hostOf(authority: string): string {
  if (authority.startsWith('[')) {
    const end = authority.indexOf(']')
    return end === -1 ? authority : authority.slice(1, end)
  }
  const colon = authority.indexOf(':')
  const host = colon === -1 ? authority : authority.slice(0, colon)
  return host.endsWith('.') ? host.slice(0, -1) : host
}
