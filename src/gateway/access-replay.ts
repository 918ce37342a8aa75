import type { GatewayModel } from '../config/model.ts'
import type { Exchange } from '../core/exchange.ts'
import { H, headerId } from '../core/header-names.ts'
import type { Identity } from '../core/identity.ts'
import type { KeyPart } from '../limits/limit-spec.ts'
import { isSecretName, redacted } from './redact.ts'

const secFetchSite = headerId('sec-fetch-site')
const askedMethod = headerId('access-control-request-method')
/** Longest value of a client's making in a line. */
const maxValueLength = 128
/** Lists of scopes and roles that are known as text; identities are shared by many exchanges, and so are their lists. */
const maxKnown = 1024

/**
 * What a line of the access log says besides, so that `velum replay` can decide again: what was sent with a content, the
 * caller's scopes and roles, and the headers and claims that the configuration decides by. Secrets never stand in it: a
 * header whose name is a secret's is only told to have been there.
 */
export class ReplayFields {
  readonly #headers: readonly { readonly name: string; readonly id: number; readonly isSecret: boolean }[]
  readonly #claims: readonly string[]
  #known = new Map<readonly string[], string>()

  constructor(headers: readonly string[] = [], claims: readonly string[] = []) {
    this.#headers = headers.map((name) => ({ name, id: headerId(name), isSecret: isSecretHeader(name) }))
    this.#claims = claims
  }

  /** Those by which a configuration decides. */
  static of(model: GatewayModel): ReplayFields {
    const parts: KeyPart[] = [...model.limits, ...(model.penalties ?? [])].flatMap(({ per }) => per)
    const named = (kind: 'header' | 'claim'): string[] =>
      parts.flatMap((part) => ('name' in part && part.kind === kind ? [part.name] : []))
    const headers = [...named('header'), ...model.routes.flatMap(({ match }) => match.headers.map(({ name }) => name))]
    const claims = [...named('claim'), ...model.routes.flatMap(({ auth }) => auth.claims.map(({ name }) => name))]
    return new ReplayFields([...new Set(headers.map((name) => name.toLowerCase()))], [...new Set(claims)])
  }

  /** Members of a line, each with its comma in front. */
  text(x: Exchange): string {
    let text = x.method === 'GET' || x.method === 'HEAD' ? '' : sentText(x)
    if (this.#headers.length > 0) text += this.#headersText(x)
    const { identity } = x
    if (identity === undefined) return text
    if (identity.scopes.length > 0) text += `,"scopes":${this.#listText(identity.scopes)}`
    if (identity.roles.length > 0) text += `,"roles":${this.#listText(identity.roles)}`
    return this.#claims.length === 0 ? text : text + this.#claimsText(identity)
  }

  #headersText(x: Exchange): string {
    let members = ''
    for (const { name, id, isSecret } of this.#headers) {
      const value = x.headers.first(id)
      if (value === undefined) continue
      members += `${members === '' ? '' : ','}${JSON.stringify(name)}:${isSecret ? `"${redacted}"` : quoted(value)}`
    }
    return members === '' ? '' : `,"headers":{${members}}`
  }

  #claimsText({ claims }: Identity): string {
    const told: [string, unknown][] = []
    for (const name of this.#claims) {
      const value = claims[name]
      if (typeof value === 'string') told.push([name, isSecretName(name) ? redacted : value.slice(0, maxValueLength)])
      else if (typeof value === 'number' || typeof value === 'boolean') told.push([name, value])
    }
    return told.length === 0 ? '' : `,"claims":${JSON.stringify(Object.fromEntries(told))}`
  }

  #listText(list: readonly string[]): string {
    const known = this.#known.get(list)
    if (known !== undefined) return known
    if (this.#known.size >= maxKnown) this.#known = new Map()
    const text = JSON.stringify(list)
    this.#known.set(list, text)
    return text
  }
}

/** Of a request that may have a content, or change something. */
function sentText(x: Exchange): string {
  let text = ''
  const type = x.headers.first(H.contentType)
  if (type !== undefined) text += `,"contentType":${quoted(type)}`
  const length = x.headers.first(H.contentLength)
  if (length !== undefined) text += `,"length":${Number(length)}`
  const origin = x.headers.first(H.origin)
  if (origin !== undefined) text += `,"origin":${quoted(origin)}`
  const site = x.headers.first(secFetchSite)
  if (site !== undefined) text += `,"site":${quoted(site)}`
  const asks = x.method === 'OPTIONS' ? x.headers.first(askedMethod) : undefined
  return asks === undefined ? text : `${text},"asks":${quoted(asks)}`
}

const secretHeaders = new Set(['authorization', 'proxy-authorization', 'cookie', 'x-api-key'])

function isSecretHeader(name: string): boolean {
  return secretHeaders.has(name) || isSecretName(name)
}

function quoted(text: string): string {
  return JSON.stringify(text.length > maxValueLength ? text.slice(0, maxValueLength) : text)
}
