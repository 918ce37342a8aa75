import { hash } from 'node:crypto'
import type { DerivedKeys } from '../sealing.ts'
import { seal, unseal } from '../sealing.ts'
import type { ProviderTicket } from './oidc-messages.ts'

/** What is kept of a provider's tokens. Access tokens are not: nobody here asks the provider's services for anything. */
export interface ProviderTokens {
  readonly refreshToken: string | undefined
  /** Only where the browser has to show it at logout. */
  readonly idToken: string | undefined
  /**
   * The refresh token was sent and the answer never came: it may have been used up. That the provider then refuses it
   * says nothing about its owner.
   */
  readonly isDoubtful?: boolean | undefined
}

/** Longest token that is kept: a provider shall not fill the store. */
const maxLength = 16_384

/** Seals tokens for whoever they belong to; undefined when there is nothing to keep. */
export function sealTokens(
  { refreshToken, ...others }: ProviderTokens,
  issuer: string,
  subject: string,
  keys: DerivedKeys,
): string | undefined {
  const tokens: ProviderTokens = { ...others, refreshToken: (refreshToken?.length ?? 0) > maxLength ? undefined : refreshToken }
  if (tokens.refreshToken === undefined && tokens.idToken === undefined) return undefined
  return seal(JSON.stringify(tokens), aboutTokens(issuer, subject), keys)
}

/** The tokens of a ticket; undefined when there are none, or they were sealed by a secret that is gone. */
export function unsealTokens({ sealed, issuer, subject }: ProviderTicket, keys: DerivedKeys): ProviderTokens | undefined {
  const text = sealed === undefined ? undefined : unseal(sealed, aboutTokens(issuer, subject), keys)?.toString()
  return text === undefined ? undefined : (JSON.parse(text) as ProviderTokens)
}

function aboutTokens(issuer: string, subject: string): string {
  return `provider tokens ${hash('sha256', `${issuer.length}:${issuer}${subject}`, 'base64url')}`
}
