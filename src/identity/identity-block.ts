import { headerBlock } from '../core/headers.ts'
import type { HeaderBlock } from '../core/headers.ts'
import type { Identity } from '../core/identity.ts'

/**
 * What a service with `identity: 'headers'` is told: `x-auth-subject`, `-tenant`, `-client`, `-scopes` (by spaces),
 * `-roles` (by commas). Bytes beyond visible ASCII, `%`, and commas inside a role are percent-encoded in UTF-8.
 */
export function identityBlock(identity: Identity): HeaderBlock {
  const lines: [string, string][] = [['x-auth-subject', encoded(identity.subject)]]
  if (identity.tenant !== undefined) lines.push(['x-auth-tenant', encoded(identity.tenant)])
  if (identity.client !== undefined) lines.push(['x-auth-client', encoded(identity.client)])
  if (identity.scopes.length > 0) lines.push(['x-auth-scopes', identity.scopes.map(encoded).join(' ')])
  if (identity.roles.length > 0)
    lines.push(['x-auth-roles', identity.roles.map((role) => encoded(role).replaceAll(',', '%2C')).join(',')])
  return headerBlock(lines)
}

const plain = /^[!-$&-~]*$/
const unsafe = /[^!-$&-~]+/g

function encoded(text: string): string {
  if (plain.test(text)) return text
  return text.replace(unsafe, (run) => {
    let out = ''
    for (const byte of Buffer.from(run)) out += `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
    return out
  })
}
