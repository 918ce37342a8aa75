import type { Answer } from '../../core/answer.ts'
import type { Exchange } from '../../core/exchange.ts'
import type { Problem } from '../../core/problem.ts'
import { identityFacts, privateJson } from '../answers.ts'
import type { IdentityParts } from '../identity-parts.ts'
import { deliveries } from '../identity-spec.ts'
import type { Delivery } from '../identity-spec.ts'
import type { Login } from '../sessions.ts'
import { memoryAnswer, tokenAnswer } from '../token-endpoints.ts'

/** How a proved login is answered. */
export interface DeliveryTerms {
  /** The program that proved itself along with the person; for tokens alone. */
  readonly client?: string | undefined
  /** What a browser gets instead of JSON, with its session. */
  readonly onwards?: Answer | undefined
}

/** What is wrong with the way in which a login wants to be handed over; undefined for nothing. */
export function deliveryFault(deliver: string, enabled: readonly Delivery[]): Problem | undefined {
  if (!(deliveries as readonly string[]).includes(deliver))
    return { name: 'malformed', detail: `deliver is one of ${deliveries.join(', ')}.` }
  if (enabled.includes(deliver as Delivery)) return undefined
  return { name: 'forbidden', detail: `This gateway does not deliver logins as ${deliver}.` }
}

/** Begins the session or tokens of a login and hands them over. */
export async function deliverLogin(
  by: Login,
  deliver: Delivery,
  x: Exchange,
  { sessions, families, env }: IdentityParts,
  { client, onwards }: DeliveryTerms = {},
): Promise<Answer> {
  if (deliver === 'token') return tokenAnswer(await families.start(by, 'body', x, client))
  if (deliver === 'memory') return memoryAnswer(await families.start(by, 'cookie', x), env.clock.now())
  const started = await sessions.start(by, x)
  const answer = onwards ?? privateJson(200, identityFacts(started.identity))
  answer.headers.append('set-cookie', started.setCookie)
  return answer
}
