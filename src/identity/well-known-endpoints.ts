import { jsonAnswer } from '../core/answer.ts'
import { headerBlock } from '../core/headers.ts'
import type { Endpoint } from './endpoint.ts'
import type { OwnIssuerSpec } from './identity-spec.ts'
import { keySetMaxAgeMs } from './key-schedule.ts'
import type { Signer } from './signer.ts'

const cacheable = headerBlock([
  ['cache-control', `public, max-age=${keySetMaxAgeMs / 1000}`],
  // Keys are public, and pages of anybody may read them.
  ['access-control-allow-origin', '*'],
])

/** What verifiers of Velum's tokens read: its keys (RFC 7517), and where its endpoints are (RFC 8414). */
export function wellKnownEndpoints(path: string, spec: OwnIssuerSpec, signer: Signer): Endpoint[] {
  const at = (name: string): string => `${spec.issuer}${path}/${name}`
  const metadata = {
    issuer: spec.issuer,
    jwks_uri: `${spec.issuer}/.well-known/jwks.json`,
    token_endpoint: at('token'),
    revocation_endpoint: at('revoke'),
    introspection_endpoint: at('introspect'),
    grant_types_supported: spec.clients.length === 0 ? ['refresh_token'] : ['refresh_token', 'client_credentials'],
    response_types_supported: [],
    token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post', 'none'],
    revocation_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'],
    introspection_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'],
    access_token_signing_alg_values_supported: [spec.tokens.algorithm],
    scopes_supported: [
      ...new Set([...spec.roles.flatMap(([, scopes]) => scopes), ...spec.clients.flatMap(({ scopes }) => scopes)]),
    ],
  }
  return [
    {
      method: 'GET',
      path: '/.well-known/jwks.json',
      isSameSiteOnly: false,
      handle: (x) => {
        const keySet = signer.keySet
        if (keySet === undefined) return x.renderProblem({ name: 'unavailable', headers: headerBlock([['retry-after', '1']]) }, x)
        const answer = jsonAnswer(200, JSON.parse(keySet))
        answer.headers.put(cacheable)
        return answer
      },
    },
    {
      method: 'GET',
      path: '/.well-known/oauth-authorization-server',
      isSameSiteOnly: false,
      handle: () => {
        const answer = jsonAnswer(200, metadata)
        answer.headers.put(cacheable)
        return answer
      },
    },
  ]
}
