import { askInTime } from '../ask-in-time.ts'
import type { IdentityParts } from '../identity-parts.ts'
import type { OidcAnswer, OidcQuestion } from './oidc-messages.ts'
import { oidcTopic } from './oidc-messages.ts'

/** A logout here does not wait long for what there may be to do at the provider. */
const leaveWithinMs = 3000

/** Asks main; a main that is late is as one that is not there (`store-down`). */
export async function askOidc(env: IdentityParts['env'], question: OidcQuestion, withinMs: number): Promise<OidcAnswer> {
  return (await askInTime(env, oidcTopic, question, withinMs)) as OidcAnswer
}

/**
 * Where the browser logs out at the provider that vouched for a session, which has ended here already; undefined where that
 * cannot be done or told, which is never a failure.
 */
export async function providerLogoutAddress({ env }: IdentityParts, session: string): Promise<string | undefined> {
  try {
    const answer = await askOidc(env, { kind: 'leave', session }, leaveWithinMs)
    return answer.kind === 'go' ? answer.url : undefined
  } catch (error) {
    env.log.warn('whether a provider has a logout could not be found out', { session, error: String(error) })
    return undefined
  }
}
