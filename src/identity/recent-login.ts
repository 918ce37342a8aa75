import type { Exchange } from '../core/exchange.ts'
import { headerBlock } from '../core/headers.ts'
import type { Identity } from '../core/identity.ts'
import type { Problem } from '../core/problem.ts'

/** How long a login is recent: who finds a browser open an hour later shall not be able to add a way in. */
const recentMs = 600_000

/** Whether a caller logged in within the last ten minutes; what says nothing of that (tokens of a page's memory) did not. */
export function isRecentLogin({ claims }: Identity, { startedAt }: Pick<Exchange, 'startedAt'>): boolean {
  const at = claims['auth_time']
  return typeof at === 'number' && startedAt - at * 1000 < recentMs
}

/** Asks for another login, by whatever means (RFC 9470). */
export const notRecent: Problem = {
  name: 'unauthenticated',
  detail: 'This needs a recent login: please log in again.',
  headers: headerBlock([
    ['www-authenticate', `Bearer realm="api", error="insufficient_user_authentication", max_age=${recentMs / 1000}`],
  ]),
}
