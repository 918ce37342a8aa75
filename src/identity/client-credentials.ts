import { hash, timingSafeEqual } from 'node:crypto'
import type { Exchange } from '../core/exchange.ts'
import { H } from '../core/header-names.ts'
import type { ClientSpec } from './identity-spec.ts'
import type { PostedFields } from './read-fields.ts'

const maxLength = 512

/** How a program proved itself at an OAuth endpoint: `none` when it did not try. */
export type ClientProof =
  | { readonly kind: 'none' }
  | { readonly kind: 'invalid'; readonly id: string }
  | { readonly kind: 'valid'; readonly client: ClientSpec }

/** Reads and checks the client's own credentials (RFC 6749 §2.3.1): Basic, or in the body; both at once are invalid. */
export function proveClient(x: Exchange, fields: PostedFields, clients: ReadonlyMap<string, ClientSpec>): ClientProof {
  const line = x.headers.single(H.authorization)
  const id = fields.get('client_id')
  const secret = fields.get('client_secret')
  if (line === null) return { kind: 'invalid', id: '' }
  const basic = line === undefined ? undefined : basicPair(line)
  if (line !== undefined && basic === undefined) return { kind: 'invalid', id: '' }
  if (basic !== undefined) {
    if (secret !== undefined || (id !== undefined && id !== basic.id)) return { kind: 'invalid', id: basic.id }
    return check(basic.id, basic.secret, clients)
  }
  return secret === undefined ? { kind: 'none' } : check(id ?? '', secret, clients)
}

const nobody = Buffer.alloc(32)

function check(id: string, secret: string, clients: ReadonlyMap<string, ClientSpec>): ClientProof {
  const client = clients.get(id)
  const digest = hash('sha256', secret.slice(0, maxLength), 'buffer')
  // Compared in any case, so that a client's absence takes as long as a wrong secret.
  const isSame = timingSafeEqual(digest, client === undefined ? nobody : Buffer.from(client.secretSha256, 'hex'))
  return client !== undefined && isSame && secret.length <= maxLength
    ? { kind: 'valid', client }
    : { kind: 'invalid', id: id.slice(0, 64) }
}

function basicPair(line: string): { id: string; secret: string } | undefined {
  const match = /^basic +([A-Za-z0-9+/]+={0,2})$/i.exec(line)
  if (match === null) return undefined
  const text = Buffer.from(match[1], 'base64').toString('utf8')
  const colon = text.indexOf(':')
  if (colon === -1) return undefined
  const id = formDecoded(text.slice(0, colon))
  const secret = formDecoded(text.slice(colon + 1))
  return id === undefined || secret === undefined ? undefined : { id, secret }
}

/** Both halves are form-encoded before they are joined. */
function formDecoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    return undefined
  }
}
