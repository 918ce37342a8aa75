import type { Answer } from '../core/answer.ts'
import type { Exchange } from '../core/exchange.ts'
import { oauthError } from './answers.ts'
import { proveClient } from './client-credentials.ts'
import type { ClientProof } from './client-credentials.ts'
import { ClientGuard } from './client-guard.ts'
import type { IdentityParts } from './identity-parts.ts'
import type { PostedFields } from './read-fields.ts'

/** What a program has shown of itself, other than a secret that is wrong. */
export type GoodProof = Exclude<ClientProof, { readonly kind: 'invalid' }>

/** Where programs prove themselves: what they say is checked, wrong secrets are counted, and guessers have to wait. */
export type ClientDesk = (x: Exchange, fields: PostedFields) => Promise<GoodProof | Answer>

/** See `ClientDesk`. An answer refuses: 401 for a wrong secret, 429 while a lock holds. Rejects with `store-down`. */
export function createClientDesk({ spec, env, stores, audit }: IdentityParts): ClientDesk {
  const clients = new Map(spec.clients.map((client) => [client.id, client]))
  const guard = env.hold.take('identity.client-guard', () => new ClientGuard(stores.records, env.clock))
  return async (x, fields) => {
    const proof = proveClient(x, fields, clients)
    if (proof.kind === 'none') return proof
    const id = proof.kind === 'valid' ? proof.client.id : proof.id
    // Before it is said whether the secret was right: a lock that lets good guesses through is none.
    const heldMs = guard.waitMs(id, x.clientAddress)
    if (heldMs > 0) return locked(x, heldMs)
    if (proof.kind === 'valid') return proof
    audit.write('client-failed', { client: proof.id }, x)
    const waitMs = await guard.failed(id, x.clientAddress)
    return waitMs > 0 ? locked(x, waitMs) : oauthError(401, 'invalid_client')
  }
}

function locked(x: Exchange, waitMs: number): Answer {
  const seconds = Math.max(1, Math.ceil(waitMs / 1000))
  const answer = x.renderProblem({ name: 'abnormal-usage', detail: 'There were too many wrong secrets of this client.' }, x)
  answer.headers.set('retry-after', String(seconds))
  return answer
}
