import { createHmac, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto'

/** The request header by which an operator has one request of their own noted whole. No service ever sees it. */
export const passHeader = 'x-velum-explain'

/** No pass is good for longer. */
export const longestPassMs = 3_600_000
const passPattern = /^v1\.(\d{10,16})\.([A-Za-z0-9_-]{43})$/

/** The keys of passes from the secrets that a fleet shares, current first; without any, one of this process's own. */
export function passKeys(secrets: readonly string[] = []): Uint8Array[] {
  if (secrets.length === 0) return [new Uint8Array(randomBytes(32))]
  return secrets.map((secret) => new Uint8Array(hkdfSync('sha256', secret, 'velum', 'velum.explain.1', 32)))
}

/** A pass that is good until then, milliseconds since 1970. */
export function signPass(until: number, key: Uint8Array): string {
  return `v1.${until}.${macOf(until, key)}`
}

/** Whether a text is a pass by one of these keys, and still good. */
export function isPass(text: string, keys: readonly Uint8Array[], now: number): boolean {
  const match = passPattern.exec(text)
  if (match === null) return false
  const until = Number(match[1])
  if (until <= now || until > now + longestPassMs) return false
  const given = Buffer.from(match[2])
  let isOne = false
  for (const key of keys) isOne = timingSafeEqual(given, Buffer.from(macOf(until, key))) || isOne
  return isOne
}

function macOf(until: number, key: Uint8Array): string {
  return createHmac('sha256', key).update(`v1.${until}`).digest('base64url')
}
