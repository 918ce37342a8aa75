import type { Exchange } from '../core/exchange.ts'
import { headerId, knownHeaderId } from '../core/header-names.ts'
import { dropTable, headerBlock, marksPerLine } from '../core/headers.ts'
import type { DropTable, HeaderBlock, Headers } from '../core/headers.ts'

/** One protection: lines that are added unless the service speaks for itself by one of their names. */
interface Protection {
  readonly lines: readonly (readonly [name: string, value: string])[]
  /** A service has no say in it. */
  readonly isFinal?: boolean
  readonly isHttpsOnly?: boolean
}

/**
 * What `secure` adds. A year of HSTS for this host alone: its subdomains may be hosts the gateway knows nothing of, and
 * a browser does not forget. Answers of an API are not to be framed, sniffed, or embedded by other sites.
 */
const protections: readonly Protection[] = [
  { lines: [['strict-transport-security', 'max-age=31536000']], isHttpsOnly: true },
  { lines: [['x-content-type-options', 'nosniff']], isFinal: true },
  { lines: [['referrer-policy', 'no-referrer']] },
  {
    lines: [
      ['content-security-policy', "frame-ancestors 'none'"],
      ['x-frame-options', 'DENY'],
    ],
  },
  { lines: [['cross-origin-resource-policy', 'same-site']] },
]

/** The headers that `secure` adds. */
export const protectiveNames: readonly string[] = protections.flatMap(({ lines }) => lines.map(([name]) => name))

/** What `secure` takes away: names and versions that help nobody but an attacker. */
export const revealingNames: readonly string[] = ['server', 'x-powered-by', 'x-aspnet-version', 'x-aspnetmvc-version']

/**
 * Adds the protections that an answer lacks. Which of them a service has set for itself is seen in one pass over the
 * answer's lines; the lines to add are ready for every combination that occurs.
 */
export class SecureHeaders {
  readonly #protections: readonly Protection[]
  /** By header id: the bit of the protection that it stands for, plus one. */
  readonly #bitOf: Uint8Array
  /** By scheme and missing protections. */
  readonly #blocks = new Map<number, HeaderBlock>()
  readonly #revealing: DropTable

  /** `explicit` names what the configuration itself sets or removes: there it has spoken, and this keeps silent. */
  constructor(explicit: ReadonlySet<string>) {
    this.#protections = protections.filter(({ lines }) => !lines.some(([name]) => explicit.has(name)))
    const ids = this.#protections.map(({ lines }) => lines.map(([name]) => headerId(name)))
    this.#bitOf = new Uint8Array(Math.max(0, ...ids.flat()) + 1)
    this.#protections.forEach(({ isFinal }, bit) => {
      if (isFinal !== true) for (const id of ids[bit]) this.#bitOf[id] = bit + 1
    })
    this.#revealing = dropTable(revealingNames.filter((name) => !explicit.has(name)).map(headerId))
  }

  apply(headers: Headers, x: Exchange): void {
    headers.drop(this.#revealing)
    const isHttps = x.scheme === 'https'
    const key = this.#spoken(headers) * 2 + (isHttps ? 1 : 0)
    let block = this.#blocks.get(key)
    if (block === undefined) this.#blocks.set(key, (block = this.#blockFor(key >> 1, isHttps)))
    headers.put(block)
  }

  /** Bits of the protections for which the answer has words of its own. */
  #spoken(headers: Headers): number {
    const { marks, lineCount } = headers
    const bitOf = this.#bitOf
    let spoken = 0
    for (let i = 0, at = 0; i < lineCount; i++, at += marksPerLine) {
      const id = marks[at]
      if (id > 0 && id < bitOf.length && bitOf[id] !== 0) spoken |= 1 << (bitOf[id] - 1)
    }
    // An answer without received lines was made by the gateway: a configured one may carry words of its own.
    if (lineCount === 0) {
      headers.forEach((name) => {
        const id = knownHeaderId(name.toLowerCase())
        if (id < bitOf.length && bitOf[id] !== 0) spoken |= 1 << (bitOf[id] - 1)
      })
    }
    return spoken
  }

  #blockFor(spoken: number, isHttps: boolean): HeaderBlock {
    const missing = this.#protections.filter(
      ({ isHttpsOnly }, bit) => (spoken & (1 << bit)) === 0 && (isHttps || isHttpsOnly !== true),
    )
    return headerBlock(missing.flatMap(({ lines }) => lines))
  }
}
