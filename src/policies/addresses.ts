import { z } from 'zod'
import type { Exchange } from '../core/exchange.ts'
import type { Policy } from '../core/policy.ts'
import type { Problem } from '../core/problem.ts'
import { pass, refuse } from '../core/verdict.ts'
import type { Verdict } from '../core/verdict.ts'
import { AddressSet } from '../lib/address.ts'
import { AddressFile } from './address-file.ts'
import { shadowing, shadowWords } from './in-shadow.ts'
import { cidrOption } from './option-schemas.ts'
import type { PolicyKind } from './policy-kind.ts'

/** From where a route may be called. */
export interface AddressesInput {
  /** Addresses and CIDR blocks that may call; all others are refused. */
  readonly allow?: readonly string[] | undefined
  /** Addresses and CIDR blocks that may not call, also when `allow` holds them. */
  readonly deny?: readonly string[] | undefined
  /** Files with more for `allow`, an address or block a line; a changed file counts at once. */
  readonly allowFiles?: readonly string[] | undefined
  /** Files with more for `deny`. */
  readonly denyFiles?: readonly string[] | undefined
  /** Decides and reports, but never refuses. Default: false. */
  readonly shadow?: boolean | undefined
}

export interface AddressesOptions {
  /** Undefined, and no files for it: everyone who is not denied. */
  readonly allow: readonly string[] | undefined
  readonly deny: readonly string[]
  /** Absolute paths, once the configuration has been checked. */
  readonly allowFiles?: readonly string[] | undefined
  readonly denyFiles?: readonly string[] | undefined
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
    allowFiles: z
      .array(z.string().min(1))
      .min(1)
      .readonly()
      .optional()
      .describe(
        'Files with more for `allow`: an address or CIDR block a line, `#` begins a comment. They are watched; a changed file counts within moments, one that cannot be read leaves the list as it was. Default: none.',
      )
      .meta({ examples: [['partners.txt']] }),
    denyFiles: z.array(z.string().min(1)).readonly().optional().describe('Files with more for `deny`. Default: none.'),
    shadow: z.boolean().optional().describe(shadowWords),
  })
  .transform(({ deny, ...rest }) => ({ deny: deny ?? [], ...rest, allow: rest.allow }))

const problem: Problem = { name: 'address-denied', policy: 'addresses' }

/** Who may call, by the client's address: the one behind trusted proxies. */
export const addresses: PolicyKind<AddressesOptions, AddressesInput> = {
  name: 'addresses',
  stage: 'address',
  doc: 'Who may call, by address. `deny` wins over `allow`; with an `allow` list everyone else is refused (403). The address is that of the client behind `trustedProxies`.',
  options,
  build({ allow, deny, allowFiles = [], denyFiles = [], shadow = false }, env) {
    const files = (paths: readonly string[]): AddressFile[] =>
      paths.map((path) => env.hold.take(`addresses/${path}`, () => new AddressFile(env.link, path)))
    const [allowing, denying] = [files(allowFiles), files(denyFiles)]
    const allowed = allow === undefined && allowing.length === 0 ? undefined : [new AddressSet(allow ?? []), ...allowing]
    if (allowed === undefined && deny.length === 0 && denying.length === 0) return undefined
    const policy = new Addresses(env.source, allowed, [new AddressSet(deny), ...denying])
    return { policies: shadowing(shadow, [policy], env), ready: allRead([...allowing, ...denying]) }
  },
}

async function allRead(files: readonly AddressFile[]): Promise<void> {
  await Promise.all(files.map((file) => file.ready))
}

/** Addresses that are listed somewhere. */
type Listed = readonly Pick<AddressSet, 'has'>[]

const allowed = pass('allowed', () => 'The client address may call.')
const unknown = refuse('unknown', problem, undefined, () => 'The client address is not known.')

const lies = (where: string) => (): string => `The client address lies in ${where}.`

class Addresses implements Policy {
  readonly name = 'addresses'
  readonly stage = 'address'
  readonly source: string
  readonly #allow: Listed | undefined
  readonly #deny: Listed
  readonly #denied: Verdict
  readonly #unlisted: Verdict

  constructor(source: string, allow: Listed | undefined, deny: Listed) {
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
    if (isListed(this.#deny, address)) return this.#denied
    if (this.#allow !== undefined && !isListed(this.#allow, address)) return this.#unlisted
    return allowed
  }
}

function isListed(lists: Listed, address: string): boolean {
  for (const list of lists) if (list.has(address)) return true
  return false
}
