import { headerBlock } from '../core/headers.ts'
import type { HeaderBlock } from '../core/headers.ts'
import type { Identity } from '../core/identity.ts'
import { fieldText } from '../lib/field-text.ts'

/**
 * What a service with `identity: 'headers'` is told: `x-auth-subject`, `-tenant`, `-client`, `-scopes` (by spaces),
 * `-roles` (by commas). Bytes beyond visible ASCII, `%`, and commas inside a role are percent-encoded in UTF-8.
 */
export function identityBlock(identity: Identity): HeaderBlock {
  const lines: [string, string][] = [['x-auth-subject', fieldText(identity.subject)]]
  if (identity.tenant !== undefined) lines.push(['x-auth-tenant', fieldText(identity.tenant)])
  if (identity.client !== undefined) lines.push(['x-auth-client', fieldText(identity.client)])
  if (identity.scopes.length > 0) lines.push(['x-auth-scopes', identity.scopes.map(fieldText).join(' ')])
  if (identity.roles.length > 0)
    lines.push(['x-auth-roles', identity.roles.map((role) => fieldText(role).replaceAll(',', '%2C')).join(',')])
  return headerBlock(lines)
}
