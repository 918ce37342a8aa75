import { hash } from 'node:crypto'
import type { Exchange } from '../../core/exchange.ts'
import { Headers } from '../../core/headers.ts'
import { withoutOwnCookies } from '../../identity/protected-headers.ts'

/** What is sent of a request, header by header, and what it is told apart by. */
export class QuestionMaker {
  readonly #front: string
  readonly #names: readonly string[]

  constructor(method: string, target: string, names: readonly string[]) {
    this.#front = `${method} ${target}`
    this.#names = names
  }

  /** The headers of the question. What was asked for is said as the router has read it: nobody decides about another path. */
  headers(x: Exchange): Headers {
    const asked = x.query === undefined ? x.path : `${x.path}?${x.query}`
    const headers = Headers.from([
      ['x-forwarded-method', x.method],
      ['x-forwarded-uri', asked],
    ])
    for (const [name, value] of this.#sent(x)) headers.append(name, value)
    return headers
  }

  /** A digest of everything that is told: two requests with one key are one question. */
  key(x: Exchange): string {
    const { identity } = x
    const who =
      identity === undefined
        ? null
        : [
            identity.kind,
            identity.issuer,
            identity.subject,
            identity.tenant,
            identity.client,
            identity.scopes,
            identity.roles,
            identity.session,
            identity.credentialId,
          ]
    const chain = x.isProxied
      ? [x.headers.get('x-forwarded-for'), x.headers.get('forwarded'), x.headers.get('x-forwarded-host')]
      : []
    const { remoteAddress } = x.connection
    const facts = [this.#front, x.method, x.scheme, x.authority, x.path, x.query, remoteAddress, chain, who, this.#sent(x)]
    return hash('sha256', JSON.stringify(facts), 'base64url')
  }

  #sent(x: Exchange): [string, string][] {
    const seen = x.headers.derive()
    withoutOwnCookies(seen, x)
    return this.#names.flatMap((name) => seen.all(name).map((value): [string, string] => [name, value]))
  }
}
