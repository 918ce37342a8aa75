import { z } from 'zod'
import { emptyAnswer } from '../core/answer.ts'
import type { Answer } from '../core/answer.ts'
import type { Exchange } from '../core/exchange.ts'
import type { Handler } from '../core/handler.ts'
import { H, headerId, headerName } from '../core/header-names.ts'
import { dropTable, headerBlock } from '../core/headers.ts'
import type { HeaderBlock, Headers } from '../core/headers.ts'
import type { Policy } from '../core/policy.ts'
import { pass, refuse } from '../core/verdict.ts'
import type { Verdict } from '../core/verdict.ts'
import { Origins, parseOriginPattern } from './cors-origins.ts'
import type { OriginPattern } from './cors-origins.ts'
import { durationOption, headerNameOption } from './option-schemas.ts'
import type { PolicyKind } from './policy-kind.ts'
import { addVary } from './vary.ts'

/** Which web pages may call. */
export interface CorsInput {
  /** Origins whose pages may call: `https://app.example.com`, `https://*.example.com`; or `*` for every page. */
  readonly origins: '*' | readonly string[]
  /** Methods that pages may use. Default: those of the route. */
  readonly methods?: readonly string[] | undefined
  /** Request headers that pages may set. Default: any. */
  readonly headers?: readonly string[] | undefined
  /** Response headers that pages may read besides the safelisted ones. Default: none. */
  readonly exposeHeaders?: readonly string[] | undefined
  /** Whether pages may send cookies and other credentials of the browser. Not with `*`. Default: false. */
  readonly credentials?: boolean | undefined
  /** How long a browser may remember a preflight. Default: `10m`. */
  readonly maxAge?: string | undefined
}

export interface CorsOptions {
  readonly origins: '*' | readonly OriginPattern[]
  /** Undefined: whatever the route matches. */
  readonly methods: readonly string[] | undefined
  /** Undefined: whatever is asked for. */
  readonly headers: readonly string[] | undefined
  readonly exposeHeaders: readonly string[]
  readonly credentials: boolean
  readonly maxAgeMs: number
}

const originOption = z
  .string()
  .meta({ examples: ['https://app.example.com', 'https://*.example.com'] })
  .transform((text, context) => {
    const pattern = parseOriginPattern(text)
    if (pattern !== undefined) return pattern
    const remedy =
      text === '*'
        ? 'write origins: "*" for every page'
        : 'write scheme, host and port as a browser sends them, in lower case, without path and default port: https://app.example.com'
    context.addIssue({ code: 'custom', message: `${JSON.stringify(text.slice(0, 80))} is not an origin`, params: { remedy } })
    return z.NEVER
  })

const methodOption = z.string().regex(/^[A-Z]+$/, { error: 'a method is written in upper case' })

const options: z.ZodType<CorsOptions, CorsInput> = z
  .strictObject({
    origins: z
      .union([z.literal('*'), z.array(originOption).min(1).readonly()])
      .describe('Origins whose pages may call: https://app.example.com, https://*.example.com; or "*" for every page.'),
    methods: z
      .array(methodOption)
      .min(1)
      .readonly()
      .optional()
      .describe('Methods that pages may use. Default: those of the route.'),
    headers: z.array(headerNameOption).readonly().optional().describe('Request headers that pages may set. Default: any.'),
    exposeHeaders: z
      .array(headerNameOption)
      .readonly()
      .optional()
      .describe('Response headers that pages may read besides the safelisted ones. Default: none.'),
    credentials: z
      .boolean()
      .optional()
      .describe('Whether pages may send cookies and other credentials of the browser. Not with origins "*". Default: false.'),
    maxAge: durationOption.optional().describe('How long a browser may remember a preflight. Default: 10m.'),
  })
  .transform(({ origins, methods, headers, exposeHeaders, credentials, maxAge }, context) => {
    if (origins === '*' && credentials === true) {
      const remedy = 'list the origins whose pages may act with the cookies of their users, or leave credentials out'
      context.addIssue({
        code: 'custom',
        path: ['credentials'],
        message: 'credentials for every page is not allowed',
        params: { remedy },
      })
    }
    return {
      origins,
      methods,
      headers,
      exposeHeaders: exposeHeaders ?? [],
      credentials: credentials ?? false,
      maxAgeMs: maxAge ?? 600_000,
    }
  })

/** Which pages of other origins may call, by the Fetch standard's CORS protocol. */
export const cors: PolicyKind<CorsOptions, CorsInput> = {
  name: 'cors',
  stage: 'cors',
  doc: 'Which pages of other origins may call. Preflights are answered here, before authentication; every other answer, refusals too, carries what a browser needs to hand it to the page. The CORS headers of services are replaced. This guards users of browsers, it is no access control: programs send what they like.',
  options,
  build: (checked, env) => ({ policies: [new Cors(checked, env.source)] }),
}

const C = {
  requestMethod: headerId('access-control-request-method'),
  requestHeaders: headerId('access-control-request-headers'),
  allowOrigin: headerId('access-control-allow-origin'),
  allowCredentials: headerId('access-control-allow-credentials'),
  allowMethods: headerId('access-control-allow-methods'),
  allowHeaders: headerId('access-control-allow-headers'),
  exposeHeaders: headerId('access-control-expose-headers'),
  maxAge: headerId('access-control-max-age'),
} as const

/** What services say about CORS, which the gateway answers for. */
const ofServices = dropTable([C.allowOrigin, C.allowCredentials, C.allowMethods, C.allowHeaders, C.exposeHeaders, C.maxAge])

const sameOrigin = pass('no-origin', () => 'The request does not come from a page of another origin.')
const allowed = pass('allowed', () => 'Pages of this origin may call.')
const preflight: Verdict = {
  ...pass('preflight', () => 'A preflight of an origin that may call; it is answered here.'),
  answers: 204,
}
const stranger = pass('other-origin', () => 'Pages of this origin may not read the answer: it will carry no CORS headers.')
const varyOrigin = headerBlock([['vary', 'Origin']])
const none: HeaderBlock = headerBlock([])

/** A block of one line whose value is known to be fit for a message. */
function line(id: number, value: string): HeaderBlock {
  const name = headerName(id)
  return { pairs: [[name, value]], ids: [id], text: `${name}: ${value}\r\n` }
}

class Cors implements Policy {
  readonly name = 'cors'
  readonly stage = 'cors'
  readonly source: string
  /** Undefined: every origin. */
  readonly #origins: Origins | undefined
  /** What every answer to an allowed origin carries besides the origin itself, and what every preflight carries. */
  readonly #always: HeaderBlock
  readonly #preflight: HeaderBlock
  readonly #refused: Verdict
  readonly #allowsAnyMethod: boolean
  readonly #allowsAnyHeader: boolean

  constructor(given: CorsOptions, source: string) {
    this.source = source
    this.#refused = refuse(
      'other-origin',
      { name: 'forbidden', policy: 'cors', detail: 'Pages of this origin may not call.' },
      undefined,
      () => 'A preflight of an origin that is not in `origins`.',
      `${source}.origins`,
    )
    this.#origins = given.origins === '*' ? undefined : new Origins(given.origins)
    const always: [string, string][] = []
    if (given.origins === '*') always.push(['access-control-allow-origin', '*'])
    if (given.credentials) always.push(['access-control-allow-credentials', 'true'])
    if (given.exposeHeaders.length > 0) always.push(['access-control-expose-headers', given.exposeHeaders.join(', ')])
    this.#always = always.length === 0 ? none : headerBlock(always)
    const { methods, headers } = given
    const answer: [string, string][] = [['access-control-max-age', String(Math.floor(given.maxAgeMs / 1000))]]
    if (methods !== undefined) answer.push(['access-control-allow-methods', methods.join(', ')])
    if (headers !== undefined && headers.length > 0) answer.push(['access-control-allow-headers', headers.join(', ')])
    this.#preflight = headerBlock(answer)
    this.#allowsAnyMethod = methods === undefined
    this.#allowsAnyHeader = headers === undefined
  }

  decide(x: Exchange): Verdict {
    const origin = x.headers.first(H.origin)
    if (origin === undefined) return sameOrigin
    const isAllowed = this.#origins === undefined || this.#origins.has(origin)
    if (isPreflight(x)) return isAllowed ? preflight : this.#refused
    return isAllowed ? allowed : stranger
  }

  wrap(next: Handler): Handler {
    return (x) => (isPreflight(x) ? emptyAnswer(204) : next(x))
  }

  onHead(x: Exchange, { headers }: Answer): void {
    headers.drop(ofServices)
    const origin = x.headers.first(H.origin)
    if (this.#origins !== undefined) {
      // Also without an Origin: a cache must not give the answer to one caller to another (RFC 9110 §12.5.5).
      addVary(headers, 'Origin', varyOrigin)
      if (origin === undefined || !this.#origins.has(origin)) return
      headers.put(line(C.allowOrigin, origin))
    }
    if (this.#always !== none) headers.put(this.#always)
    if (isPreflight(x)) this.#answerPreflight(x, headers)
  }

  #answerPreflight(x: Exchange, headers: Headers): void {
    headers.put(this.#preflight)
    if (this.#allowsAnyMethod) {
      // The router found the route by this method, so it is one of the route's.
      headers.put(line(C.allowMethods, x.headers.first(C.requestMethod)!))
      addVary(headers, 'Access-Control-Request-Method')
    }
    if (!this.#allowsAnyHeader) return
    addVary(headers, 'Access-Control-Request-Headers')
    const asked = x.headers.get('access-control-request-headers')
    if (asked !== undefined && asked.length <= maxAskedLength && namesPattern.test(asked)) headers.put(line(C.allowHeaders, asked))
  }
}

/** The longest list of request headers that is echoed; a longer one is left to the browser to refuse. */
const maxAskedLength = 1024
const namesPattern = /^[a-z0-9!#$%&'*+.^`|~_-]+(?:[ \t]*,[ \t]*[a-z0-9!#$%&'*+.^`|~_-]+)*$/i
const methodPattern = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

/** A preflight of the Fetch standard: OPTIONS with the method that is going to be used, from an origin. */
function isPreflight(x: Exchange): boolean {
  if (x.method !== 'OPTIONS') return false
  const method = x.headers.first(C.requestMethod)
  return method !== undefined && methodPattern.test(method) && x.headers.first(H.origin) !== undefined
}
