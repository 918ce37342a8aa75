import { z } from 'zod'
import type { Answer } from '../core/answer.ts'
import type { Exchange } from '../core/exchange.ts'
import { headerId, knownHeaderId } from '../core/header-names.ts'
import { dropTable, headerBlock } from '../core/headers.ts'
import type { DropTable, HeaderBlock, Headers } from '../core/headers.ts'
import type { Policy } from '../core/policy.ts'
import { identityHeaderIds } from '../identity/protected-headers.ts'
import type { HeaderTemplate } from './header-template.ts'
import { compileHeaderTemplate, headerTemplateOption } from './header-template.ts'
import { headerNameOption } from './option-schemas.ts'
import { mergeHeaders } from './merge-options.ts'
import type { PolicyKind } from './policy-kind.ts'
import { SecureHeaders } from './secure-headers.ts'

/** Changes to the headers of a message, applied in the order remove, set, add. */
export interface HeaderEditsInput {
  /** Headers that get exactly this value; `{subject}` and the like stand for what is known of the request. */
  readonly set?: Readonly<Record<string, string>> | undefined
  /** Header lines added to what is there. */
  readonly add?: Readonly<Record<string, string>> | undefined
  /** Headers that are taken out. */
  readonly remove?: readonly string[] | undefined
}

/** `'secure'` is `{ secure: true }`. */
export type HeadersInput =
  | 'secure'
  | {
      /** What the service sees. */
      readonly request?: HeaderEditsInput | undefined
      /** What the client sees. */
      readonly response?: HeaderEditsInput | undefined
      /** Protective response headers, and no word of what software answers. Default: false. */
      readonly secure?: boolean | undefined
    }

export interface HeaderEdits {
  readonly set: readonly (readonly [name: string, value: string])[]
  readonly add: readonly (readonly [name: string, value: string])[]
  readonly remove: readonly string[]
}

export interface HeadersOptions {
  readonly request: HeaderEdits
  readonly response: HeaderEdits
  readonly secure: boolean
}

const templateWords =
  'In a value `{subject}`, `{tenant}`, `{client}`, `{address}`, `{route}`, `{listener}`, `{method}`, `{scheme}`, `{host}`, `{path}`, `{request-id}`, `{param:NAME}`, `{header:NAME}` and `{claim:NAME}` stand for what is known of the request, percent-encoded where a header line demands it; a header of which a part is not known is left out. Other braces stand for themselves.'

const hopByHop = ['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'te', 'trailer', 'upgrade', 'http2-settings']
const framing = new Set([...hopByHop, 'content-length', 'expect', 'proxy-authenticate', 'proxy-authorization'])
/** Set by the gateway on every request, from what it knows. */
const forwarding = new Set(['via', 'forwarded', 'x-real-ip', 'x-request-id', 'traceparent', 'tracestate'])
const identityIds = new Set(identityHeaderIds)

/** Why the headers of a request may not be edited under this name; undefined when they may. */
export function requestObjection(name: string): [message: string, remedy: string] | undefined {
  if (name === 'host') return ['the Host of a service is not a matter of headers', 'use rewrite: { host }']
  if (framing.has(name)) return [`"${name}" belongs to the connection and its framing`, 'remove it: the gateway sets it']
  if (identityIds.has(knownHeaderId(name))) {
    return [`"${name}" says who is calling, and only the gateway may`, "use the service's identity: 'headers'"]
  }
  if (forwarding.has(name) || name.startsWith('x-forwarded-')) {
    return [`"${name}" says where a request came from, and only the gateway may`, 'remove it: the gateway sets it']
  }
  return undefined
}

/** The same for the headers of an answer. */
export function responseObjection(name: string): [message: string, remedy: string] | undefined {
  if (framing.has(name)) return [`"${name}" belongs to the connection and its framing`, 'remove it: the gateway sets it']
  if (name === 'x-request-id') return ['every response carries the id of its request', 'remove it: the gateway sets it']
  return undefined
}

function editsOption(objection: (name: string) => [string, string] | undefined): z.ZodType<HeaderEdits, HeaderEditsInput> {
  const lines = z.record(headerNameOption, headerTemplateOption)
  return z
    .strictObject({
      set: lines.optional().describe(`Headers that get exactly this value, whatever was there. ${templateWords}`),
      add: lines.optional().describe(`Header lines added to what is there. ${templateWords}`),
      remove: z.array(headerNameOption).readonly().optional().describe('Headers that are taken out.'),
    })
    .superRefine((edits, context) => {
      for (const part of ['set', 'add', 'remove'] as const) {
        const names = part === 'remove' ? (edits.remove ?? []) : Object.keys(edits[part] ?? {})
        names.forEach((name, i) => {
          const found = objection(name)
          if (found === undefined) return
          const path = [part, part === 'remove' ? i : name]
          context.addIssue({ code: 'custom', path, message: found[0], params: { remedy: found[1] } })
        })
      }
    })
    .transform(({ set, add, remove }) => ({ set: Object.entries(set ?? {}), add: Object.entries(add ?? {}), remove: remove ?? [] }))
}

const noEdits: HeaderEdits = { set: [], add: [], remove: [] }

const options: z.ZodType<HeadersOptions, HeadersInput> = z
  .union([
    z.literal('secure'),
    z.strictObject({
      request: editsOption(requestObjection).optional().describe('What the service sees.'),
      response: editsOption(responseObjection).optional().describe('What the client sees.'),
      secure: z
        .boolean()
        .optional()
        .describe(
          'Protective response headers (HSTS over https, nosniff, no framing, no referrer, same-site embedding) where the service has none of its own, and no Server or X-Powered-By. Default: false.',
        ),
    }),
  ])
  .transform((value) => {
    if (value === 'secure') return { request: noEdits, response: noEdits, secure: true }
    return { request: value.request ?? noEdits, response: value.response ?? noEdits, secure: value.secure ?? false }
  })

/** What services and clients see of headers. */
export const headers: PolicyKind<HeadersOptions, HeadersInput> = {
  name: 'headers',
  stage: 'answer-head',
  doc: 'Changes to headers: `request` for the service, `response` for the client, `secure` for protective response headers. Explicit changes apply after `secure` and win. Framing, forwarding and identity headers are the gateway’s own and cannot be edited.',
  options,
  merge: mergeHeaders,
  build({ request, response, secure }, env) {
    const requestEdits = hasEdits(request) ? new CompiledEdits(request) : undefined
    const responseEdits = hasEdits(response) ? new CompiledEdits(response) : undefined
    if (requestEdits === undefined && responseEdits === undefined && !secure) return undefined
    const explicit = new Set([...response.set.map(([name]) => name), ...response.remove])
    const onAnswers =
      secure || responseEdits !== undefined
        ? [new ResponseHeaders(env.source, secure ? new SecureHeaders(explicit) : undefined, responseEdits)]
        : []
    return { policies: onAnswers, requestEdit: requestEdits === undefined ? undefined : (to, x) => requestEdits.apply(to, x) }
  },
}

function hasEdits(edits: HeaderEdits): boolean {
  return edits.set.length > 0 || edits.add.length > 0 || edits.remove.length > 0
}

/** Edits made ready: one table of what goes, one block of what comes, and what depends on the request. */
class CompiledEdits {
  readonly #remove: DropTable | undefined
  readonly #set: HeaderBlock | undefined
  readonly #setByRequest: readonly (readonly [string, HeaderTemplate])[]
  readonly #add: readonly (readonly [string, HeaderTemplate])[]

  constructor(edits: HeaderEdits) {
    const set = edits.set.map(([name, value]) => [name, compileHeaderTemplate(value)] as const)
    const fixed = set.flatMap(([name, value]) => (typeof value === 'string' ? [[name, value] as const] : []))
    for (const [name] of set) headerId(name)
    this.#remove = edits.remove.length === 0 ? undefined : dropTable(edits.remove.map(headerId))
    this.#set = fixed.length === 0 ? undefined : headerBlock(fixed)
    this.#setByRequest = set.filter(([, value]) => typeof value !== 'string')
    this.#add = edits.add.map(([name, value]) => [name, compileHeaderTemplate(value)])
  }

  apply(to: Headers, x: Exchange): void {
    if (this.#remove !== undefined) to.drop(this.#remove)
    if (this.#set !== undefined) to.put(this.#set)
    for (const [name, template] of this.#setByRequest) {
      const value = valueOf(template, x)
      if (value === undefined) to.remove(name)
      else to.set(name, value)
    }
    for (const [name, template] of this.#add) {
      const value = valueOf(template, x)
      if (value !== undefined) to.append(name, value)
    }
  }
}

function valueOf(template: HeaderTemplate, x: Exchange): string | undefined {
  return typeof template === 'string' ? template : template(x)
}

class ResponseHeaders implements Policy {
  readonly name = 'headers'
  readonly stage = 'answer-head'
  readonly source: string
  readonly #secure: SecureHeaders | undefined
  readonly #edits: CompiledEdits | undefined

  constructor(source: string, secure: SecureHeaders | undefined, edits: CompiledEdits | undefined) {
    this.source = source
    this.#secure = secure
    this.#edits = edits
  }

  onHead(x: Exchange, answer: Answer): void {
    this.#secure?.apply(answer.headers, x)
    this.#edits?.apply(answer.headers, x)
  }
}
