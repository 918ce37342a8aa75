import { randomBytes } from 'node:crypto'
import { secretHash } from './credential-text.ts'
import type { DerivedKeys } from './sealing.ts'
import { isMacOf, macOf } from './sealing.ts'

/**
 * A refresh token: `id.secret`, where the secret is 256 random bits and a MAC over them and the id. The MAC tells what
 * Velum once issued from what somebody made up who learnt the id of a family: only the former may end it as a reuse.
 */
export interface RefreshToken {
  readonly family: string
  /** What the store compares. */
  readonly hash: string
  readonly text: string
}

const pattern = /^([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{64})$/
const randomLength = 32

/** A new token of a family. */
export function newRefreshToken(family: string, keys: DerivedKeys): RefreshToken {
  const random = randomBytes(randomLength)
  const secret = Buffer.concat([random, macOf(about(family, random), keys)]).toString('base64url')
  return { family, hash: secretHash(secret), text: `${family}.${secret}` }
}

/** A token that Velum issued at some time; undefined for anything else. */
export function parseRefreshToken(text: string, keys: DerivedKeys): RefreshToken | undefined {
  const match = pattern.exec(text)
  if (match === null) return undefined
  const [, family, secret] = match
  const bytes = Buffer.from(secret, 'base64url')
  const random = bytes.subarray(0, randomLength)
  if (!isMacOf(about(family, random), bytes.subarray(randomLength), keys)) return undefined
  return { family, hash: secretHash(secret), text }
}

function about(family: string, random: Buffer): string {
  return `${family}.${random.toString('base64url')}`
}
