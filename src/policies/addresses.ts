import { z } from 'zod'
import type { Exchange } from '../core/exchange.ts'
import type { Policy } from '../core/policy.ts'
import type { Problem } from '../core/problem.ts'
import { pass, refuse } from '../core/verdict.ts'
import type { Verdict } from '../core/verdict.ts'
import { AddressSet } from '../lib/address.ts'
import { shadowing, shadowWords } from './in-shadow.ts'
import { cidrOption } from './option-schemas.ts'
import type { PolicyKind } from './policy-kind.ts'

/** From where a route may be called. */
export interface AddressesInput {
  /** Addresses and CIDR blocks that may call; all others are refused. */
  readonly allow?: readonly string[] | undefined
  /** Addresses and CIDR blocks that may not call, also when `allow` holds them. */
  readonly deny?: readonly string[] | undefined
  /** Decides and reports, but never refuses. Default: false. */
  readonly shadow?: boolean | undefined
}

export interface AddressesOptions {
  /** Undefined: everyone who is not denied. */
  readonly allow: readonly string[] | undefined
  readonly deny: readonly string[]
  readonly shadow?: boolean | undefined
}

const options: z.ZodType<AddressesOptions, AddressesInput> = z
  .strictObject({
    allow: z
      .array(cidrOption)
      .min(1)
      .readonly()
      .optional()
      .describe('Addresses and CIDR blocks that may call; all others are refused. Default: everyone.'),
    deny: z
      .array(cidrOption)
      .readonly()
      .optional()
      .describe('Addresses and CIDR blocks that may not call, also when `allow` holds them. Default: nobody.'),
    shadow: z.boolean().optional().describe(shadowWords),
  })
  .transform(({ allow, deny, shadow }) => ({ allow, deny: deny ?? [], shadow }))

const problem: Problem = { name: 'address-denied', policy: 'addresses' }

/** Who may call, by the client's address: the one behind trusted proxies. */
export const addresses: PolicyKind<AddressesOptions, AddressesInput> = {
  name: 'addresses',
  stage: 'address',
  doc: 'Who may call, by address. `deny` wins over `allow`; with an `allow` list everyone else is refused (403). The address is that of the client behind `trustedProxies`.',
  options,
  build({ allow, deny, shadow = false }, env) {
    if (allow === undefined && deny.length === 0) return undefined
    const policy = new Addresses(env.source, allow === undefined ? undefined : new AddressSet(allow), new AddressSet(deny))
    return { policies: shadowing(shadow, [policy], env) }
  },
}

const allowed = pass('allowed', () => 'The client address may call.')
const unknown = refuse('unknown', problem, undefined, () => 'The client address is not known.')

const lies = (where: string) => (): string => `The client address lies in ${where}.`

class Addresses implements Policy {
  readonly name = 'addresses'
  readonly stage = 'address'
  readonly source: string
  readonly #allow: AddressSet | undefined
  readonly #deny: AddressSet
  readonly #denied: Verdict
  readonly #unlisted: Verdict

  constructor(source: string, allow: AddressSet | undefined, deny: AddressSet) {
    this.source = source
    this.#allow = allow
    this.#deny = deny
    this.#denied = refuse('denied', problem, undefined, lies('a block of `deny`'), `${source}.deny`)
    this.#unlisted = refuse('unlisted', problem, undefined, lies('no block of `allow`'), `${source}.allow`)
  }

  decide(x: Exchange): Verdict {
    const address = x.clientAddress
    // A list of addresses is of no use against one that cannot be read: fail closed.
    if (address === '') return unknown
    if (this.#deny.has(address)) return this.#denied
    if (this.#allow !== undefined && !this.#allow.has(address)) return this.#unlisted
    return allowed
  }
}
