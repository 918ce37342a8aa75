import type { Exchange } from '../../core/exchange.ts'
import { headerId } from '../../core/header-names.ts'
import type { CredentialKind } from '../../core/identity.ts'

/** Credentials that a browser sends along, whoever's page makes it ask. */
const sentAlong: ReadonlySet<CredentialKind> = new Set(['session', 'client-certificate', 'basic'])

const secFetchSite = headerId('sec-fetch-site')
/** Fields that a page of another site can only set after the server has agreed (a preflight of CORS). */
const agreed = ['graphql-require-preflight', 'apollo-require-preflight', 'x-apollo-operation-name', 'x-requested-with']

/**
 * Whether a GET may be one that a page of another site makes a browser send in its user's name: such a page cannot read the
 * answer, but may learn from its size and time, and have the services work. A POST of JSON is never one: it needs a preflight.
 */
export function isForgeable({ method, headers, identity }: Exchange): boolean {
  if (method === 'POST' || identity === undefined || !sentAlong.has(identity.kind)) return false
  if (headers.single(secFetchSite) === 'same-origin') return false
  if (headers.get('content-type')?.startsWith('application/json') === true) return false
  return !agreed.some((name) => headers.has(name))
}
