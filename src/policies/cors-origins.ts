/** Origins as browsers write them (RFC 6454 §6.2): lower case, no path, no default port, punycode. */
const originPattern = /^(https?):\/\/(\*\.)?([a-z0-9-]+(?:\.[a-z0-9-]+)*|\[[0-9a-f:.]+\])(?::([1-9][0-9]{0,4}))?$/

/** An origin or a pattern for the origins below a domain: `https://app.example.com`, `https://*.example.com`. */
export interface OriginPattern {
  readonly text: string
  /** Whether it stands for every name below a domain. */
  readonly isWildcard: boolean
}

/** Reads an origin or pattern; undefined when no browser would ever send an origin that matches it. */
export function parseOriginPattern(text: string): OriginPattern | undefined {
  const match = originPattern.exec(text)
  if (match === null) return undefined
  const [, scheme, wildcard, host, port] = match
  if (wildcard !== undefined && host.startsWith('[')) return undefined
  if (port === (scheme === 'https' ? '443' : '80')) return undefined
  return { text, isWildcard: wildcard !== undefined }
}

/** A set of origins, compiled. The opaque origin `null` is never in it: any page can make itself one. */
export class Origins {
  readonly #exact = new Set<string>()
  readonly #below: { readonly start: string; readonly end: string }[] = []

  constructor(patterns: readonly OriginPattern[]) {
    for (const { text, isWildcard } of patterns) {
      if (!isWildcard) this.#exact.add(text)
      else this.#below.push({ start: text.slice(0, text.indexOf('*')), end: text.slice(text.indexOf('*') + 1) })
    }
  }

  has(origin: string): boolean {
    if (this.#exact.has(origin)) return true
    for (const { start, end } of this.#below) {
      if (origin.length <= start.length + end.length || !origin.startsWith(start) || !origin.endsWith(end)) continue
      // What stands for the star must be labels and nothing else, or "https://evil.net/.example.com" would pass.
      if (isLabels(origin, start.length, origin.length - end.length)) return true
    }
    return false
  }
}

/** Whether `text[from..to)` is one or more DNS labels in lower case. */
function isLabels(text: string, from: number, to: number): boolean {
  if (to - from > 253) return false
  let isEmpty = true
  for (let i = from; i < to; i++) {
    const code = text.charCodeAt(i)
    if (code === 46) {
      if (isEmpty) return false
      isEmpty = true
    } else if ((code >= 97 && code <= 122) || (code >= 48 && code <= 57) || code === 45) {
      isEmpty = false
    } else {
      return false
    }
  }
  return !isEmpty
}
