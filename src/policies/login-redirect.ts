import type { Answer } from '../core/answer.ts'
import { emptyBody } from '../core/body.ts'
import type { Exchange } from '../core/exchange.ts'
import { H, headerId } from '../core/header-names.ts'
import { headerBlock, Headers } from '../core/headers.ts'
import type { Policy } from '../core/policy.ts'

const accept = headerId('accept')
const secFetchMode = headerId('sec-fetch-mode')
const noStore = headerBlock([['cache-control', 'no-store']])

/**
 * Leads who navigates here without a session to the login page, and back afterwards. Only what a person sees happens so:
 * scripts, programs and everything that is no GET get their 401, and nothing that was posted is lost in a redirect.
 */
export class LoginRedirect implements Policy {
  readonly name = 'auth'
  readonly stage = 'authenticate'
  readonly source: string
  readonly #loginPath: string

  constructor(loginPath: string, source: string) {
    this.#loginPath = loginPath
    this.source = source
  }

  onHead(x: Exchange, answer: Answer): void {
    if (answer.status !== 401 || x.refusedBy?.stage !== 'authenticate' || !isNavigation(x)) return
    const target = x.query === undefined ? x.path : `${x.path}?${x.query}`
    answer.status = 302
    answer.headers = new Headers()
    answer.headers.put(noStore)
    answer.headers.set('location', `${this.#loginPath}?return_to=${encodeURIComponent(target)}`)
    answer.body = emptyBody
  }
}

/** Whether somebody looks at what comes back: a browser says so, and an old one asks for HTML as only they do. */
function isNavigation(x: Exchange): boolean {
  if (x.method !== 'GET' || x.upgrade !== undefined || x.headers.first(H.authorization) !== undefined) return false
  const mode = x.headers.single(secFetchMode)
  if (mode !== undefined && mode !== 'navigate') return false
  return x.headers.single(accept)?.includes('text/html') === true
}
