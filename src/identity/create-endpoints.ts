import { accountEndpoints } from './account/account-endpoints.ts'
import type { Endpoint } from './endpoint.ts'
import type { IdentityParts } from './identity-parts.ts'
import { loginEndpoints } from './login/login-endpoints.ts'
import { oidcEndpoints } from './oidc/oidc-endpoints.ts'
import { passkeyEndpoints } from './passkeys/passkey-endpoints.ts'
import { sessionEndpoints } from './session-endpoints.ts'
import type { Signer } from './signer.ts'
import { tokenEndpoints } from './token-endpoints.ts'
import { wellKnownEndpoints } from './well-known-endpoints.ts'

/** Every identity endpoint there is. */
export function createEndpoints(parts: IdentityParts, signer: Signer): Endpoint[] {
  return [
    ...loginEndpoints(parts),
    ...oidcEndpoints(parts),
    ...passkeyEndpoints(parts),
    ...accountEndpoints(parts),
    ...sessionEndpoints(parts),
    ...tokenEndpoints(parts),
    ...wellKnownEndpoints(parts.path, parts.spec, signer),
  ]
}
