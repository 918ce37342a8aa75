import { createHmac, randomInt, timingSafeEqual } from 'node:crypto'
import { crc32 } from 'node:zlib'
import type { DerivedKeys } from './sealing.ts'

/**
 * The text of an API key that Velum makes: `vlm_`, an id of 16 characters, `_`, a secret of 43 (256 bits), and a checksum of
 * 6, all of base62: one word, found by scanners for secrets, and told from a mistyped one without asking anybody.
 */
export interface ApiKeyText {
  readonly id: string
  readonly secret: string
  readonly text: string
}

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const prefix = 'vlm_'
const idLength = 16
const secretLength = 43
const checkLength = 6
const secretAt = prefix.length + idLength + 1
const checkAt = secretAt + secretLength
const textLength = checkAt + checkLength
const pattern = /^vlm_[0-9A-Za-z]{16}_[0-9A-Za-z]{49}$/

/** A new key, of chance. */
export function newApiKey(): ApiKeyText {
  const id = randomText(idLength)
  const secret = randomText(secretLength)
  const front = `${prefix}${id}_${secret}`
  return { id, secret, text: front + checksum(front) }
}

/** Whether a text claims to be such a key, well written or not. */
export function looksLikeApiKey(text: string): boolean {
  return text.length === textLength && text.startsWith(prefix)
}

/** The halves of a key; undefined when its checksum is not that of the rest: any one wrong letter is found so (CRC-32). */
export function parseApiKey(text: string): ApiKeyText | undefined {
  if (!pattern.test(text) || checksum(text.slice(0, checkAt)) !== text.slice(checkAt)) return undefined
  return { id: text.slice(prefix.length, secretAt - 1), secret: text.slice(secretAt, checkAt), text }
}

/** What is kept of a secret: an HMAC under a pepper that is not in the store, so that a copied store proves nothing. */
export function apiKeyMac(id: string, secret: string, keys: DerivedKeys): string {
  return macBy(keys.pepper[0], id, secret).toString('base64url')
}

/** Which pepper a kept MAC was made with: 0 the current, 1 the previous; -1: it is not of this secret. */
export function pepperOf(mac: string, id: string, secret: string, keys: DerivedKeys): number {
  const kept = Buffer.from(mac, 'base64url')
  return keys.pepper.findIndex((pepper) => kept.length === 32 && timingSafeEqual(macBy(pepper, id, secret), kept))
}

function macBy(pepper: Uint8Array, id: string, secret: string): Buffer {
  return createHmac('sha256', pepper).update(`${id}.${secret}`).digest()
}

function checksum(front: string): string {
  let rest = crc32(front)
  let text = ''
  for (let i = 0; i < checkLength; i++) {
    text = alphabet[rest % 62] + text
    rest = Math.floor(rest / 62)
  }
  return text
}

function randomText(length: number): string {
  let text = ''
  for (let i = 0; i < length; i++) text += alphabet[randomInt(62)]
  return text
}
