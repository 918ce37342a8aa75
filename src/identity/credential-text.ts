import { hash, randomBytes } from 'node:crypto'

/**
 * Opaque credentials are `id.secret`: the id finds the record, so that no index tells anything of the secret, and only
 * the secret's hash is kept, so that a copied store opens nothing.
 */
const idLength = 22
const secretLength = 43
export const credentialLength = idLength + 1 + secretLength

const pattern = /^[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}$/

/** A credential just made. */
export interface NewCredential {
  readonly id: string
  readonly secret: string
  readonly text: string
}

/** 128 bits of id, 256 bits of secret. */
export function newCredential(): NewCredential {
  const id = randomBytes(16).toString('base64url')
  const secret = randomBytes(32).toString('base64url')
  return { id, secret, text: `${id}.${secret}` }
}

/** What is kept of a secret. SHA-256 is enough for what nobody can guess. */
export function secretHash(secret: string): string {
  return hash('sha256', secret, 'base64url')
}

/** Whether a text has the form of a credential. */
export function isCredential(text: string): boolean {
  return text.length === credentialLength && pattern.test(text)
}

/** The two halves of a text of the right length. */
export function idOf(text: string): string {
  return text.slice(0, idLength)
}
export function secretOf(text: string): string {
  return text.slice(idLength + 1)
}
