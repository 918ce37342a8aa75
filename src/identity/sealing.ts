import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto'

/** Keys derived from the node's `secret` (current first, then previous), each for one purpose. Plain data, for messages. */
export interface DerivedKeys {
  readonly seal: readonly Uint8Array[]
  readonly mac: readonly Uint8Array[]
  /** For the secrets of API keys. */
  readonly pepper: readonly Uint8Array[]
}

/** Derives what sealing and authenticating needs from the configured secrets (HKDF, RFC 5869). */
export function deriveKeys(secrets: readonly string[]): DerivedKeys {
  const derived = (purpose: string): Uint8Array[] =>
    secrets.map((secret) => new Uint8Array(hkdfSync('sha256', secret, 'velum', purpose, 32)))
  return { seal: derived('velum.seal.1'), mac: derived('velum.refresh-token.1'), pepper: derived('velum.api-key.1') }
}

const ivBytes = 12
const tagBytes = 16

/** Encrypts a text for whoever holds the same secret (AES-256-GCM). `about` says what it belongs to and must be given again. */
export function seal(text: string | Uint8Array, about: string, keys: DerivedKeys): string {
  const iv = randomBytes(ivBytes)
  const cipher = createCipheriv('aes-256-gcm', keys.seal[0], iv)
  cipher.setAAD(Buffer.from(about))
  const content = typeof text === 'string' ? Buffer.from(text) : text
  return Buffer.concat([iv, cipher.update(content), cipher.final(), cipher.getAuthTag()]).toString('base64url')
}

/** The text of a seal by the current or the previous secret; undefined for anything else. */
export function unseal(sealed: string, about: string, keys: DerivedKeys): Buffer | undefined {
  const bytes = Buffer.from(sealed, 'base64url')
  if (bytes.length < ivBytes + tagBytes) return undefined
  for (const key of keys.seal) {
    try {
      const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, ivBytes), { authTagLength: tagBytes })
      decipher.setAAD(Buffer.from(about))
      decipher.setAuthTag(bytes.subarray(-tagBytes))
      return Buffer.concat([decipher.update(bytes.subarray(ivBytes, -tagBytes)), decipher.final()])
    } catch {
      continue
    }
  }
  return undefined
}

const macBytes = 16

/** A short proof that `text` comes from a node with this secret. */
export function macOf(text: string, keys: DerivedKeys): Buffer {
  return macBy(text, keys.mac[0])
}

/** Whether the proof is one of the current or the previous secret. */
export function isMacOf(text: string, mac: Buffer, keys: DerivedKeys): boolean {
  return mac.length === macBytes && keys.mac.some((key) => timingSafeEqual(macBy(text, key), mac))
}

function macBy(text: string, key: Uint8Array): Buffer {
  return createHmac('sha256', key).update(text).digest().subarray(0, macBytes)
}
