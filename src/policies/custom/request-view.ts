import type { Exchange } from '../../core/exchange.ts'
import { Slot } from '../../core/exchange.ts'
import type { Identity } from '../../core/identity.ts'
import type { PolicyCaller, PolicyRequest } from './define-policy.ts'

/** What proves who somebody is, and so is nobody's business but the gateway's. */
const credentialFields = new Set(['authorization', 'cookie', 'proxy-authorization', 'x-api-key'])

/** An exchange as custom policies see it; made once for all of them. Nothing of the exchange can be reached through it. */
export class RequestView implements PolicyRequest {
  readonly #x: Exchange
  #caller: PolicyCaller | undefined

  constructor(x: Exchange) {
    this.#x = x
  }

  get id(): string {
    return this.#x.id
  }

  get method(): string {
    return this.#x.method
  }

  get path(): string {
    return this.#x.path
  }

  get query(): string | undefined {
    return this.#x.query
  }

  get host(): string {
    return this.#x.authority
  }

  get address(): string {
    return this.#x.clientAddress
  }

  get route(): string {
    return this.#x.route?.name ?? ''
  }

  get caller(): PolicyCaller | undefined {
    const { identity } = this.#x
    return identity === undefined ? undefined : (this.#caller ??= new CallerView(identity))
  }

  header(name: string): string | undefined {
    const lower = name.toLowerCase()
    return credentialFields.has(lower) ? undefined : this.#x.headers.get(lower)
  }

  param(name: string): string | undefined {
    return this.#x.param(name)
  }
}

/** Copies: an Identity is shared by all requests that come with the same credential, and lists can be changed. */
class CallerView implements PolicyCaller {
  readonly kind: string
  readonly issuer: string
  readonly subject: string
  readonly tenant: string | undefined
  readonly client: string | undefined
  readonly scopes: readonly string[]
  readonly roles: readonly string[]
  readonly #identity: Identity
  #claims: Readonly<Record<string, unknown>> | undefined

  constructor(identity: Identity) {
    this.kind = identity.kind
    this.issuer = identity.issuer
    this.subject = identity.subject
    this.tenant = identity.tenant
    this.client = identity.client
    this.scopes = [...identity.scopes]
    this.roles = [...identity.roles]
    this.#identity = identity
  }

  get claims(): Readonly<Record<string, unknown>> {
    return (this.#claims ??= structuredClone(this.#identity.claims))
  }
}

const views = new Slot<RequestView>()

/** The view of this exchange. */
export function viewOf(x: Exchange): RequestView {
  let view = views.get(x)
  if (view === undefined) {
    view = new RequestView(x)
    views.set(x, view)
  }
  return view
}
