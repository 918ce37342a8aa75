import { randomBytes } from 'node:crypto'

/** What a request id from a trusted proxy may look like; anything else is replaced. */
const acceptable = /^[A-Za-z0-9._:=+/-]{1,128}$/

export function isRequestId(text: string): boolean {
  return acceptable.test(text)
}

/**
 * Makes request ids: a random prefix of 60 bits, drawn anew for each maker, and a count. Unique over the fleet, cheap,
 * and not a secret.
 */
export function createRequestIds(): () => string {
  const prefix = BigInt(`0x${randomBytes(8).toString('hex').slice(0, 15)}`)
    .toString(36)
    .padStart(12, '0')
  let count = 0
  return () => `${prefix}-${(++count).toString(36)}`
}
