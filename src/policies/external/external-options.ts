import { z } from 'zod'
import { durationOption, headerNameOption, sizeOption } from '../option-schemas.ts'

/** A service that is asked whether a request may pass (forward auth). */
export interface ExternalInput {
  /** The name of the service that is asked. */
  readonly service: string
  /** Where it is asked. Default: `/`. */
  readonly path?: string | undefined
  /** How it is asked. Default: GET, or POST with `body`. */
  readonly method?: 'GET' | 'HEAD' | 'POST' | undefined
  /** Request headers that it gets. Default: `authorization` and `cookie`; none where `any` says who is calling. */
  readonly send?: readonly string[] | undefined
  /** Sends the request body along, up to this size; a larger one is 413. Default: the body is not sent. */
  readonly body?: string | undefined
  /** Headers of its answer that the service gets; whatever the client sent under these names is dropped. Default: none. */
  readonly toService?: readonly string[] | undefined
  /** Headers of its refusal that the client gets. Default: `www-authenticate`, `location` and `retry-after`. */
  readonly toClient?: readonly string[] | undefined
  /** How long its answer is waited for. Default: `1s`. */
  readonly timeout?: string | undefined
  /** For how long a decision holds for requests of which all is the same that it was told. Default: not at all. */
  readonly cache?: string | undefined
  /** What becomes of requests while it cannot be asked. Default: `closed`, they are refused. */
  readonly onFailure?: 'closed' | { readonly stale: string } | undefined
}

export interface ExternalOptions {
  readonly service: string
  readonly path: string
  readonly method: 'GET' | 'HEAD' | 'POST'
  /** Absent: the usual ones. */
  readonly send?: readonly string[] | undefined
  /** Absent: the body is not sent. */
  readonly maxBodyBytes?: number | undefined
  readonly toService: readonly string[]
  readonly toClient: readonly string[]
  readonly timeoutMs: number
  /** 0: decisions are not kept. */
  readonly cacheMs: number
  /** How long after that a kept permission serves while the service cannot be asked; 0: not at all. */
  readonly staleMs: number
}

const ofConnections = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'transfer-encoding',
  'content-length',
  'te',
  'trailer',
  'upgrade',
  'http2-settings',
  'expect',
  'host',
])
/** Said by the gateway itself, of what it knows. */
const ofGateway =
  /^(?:via|forwarded|x-forwarded-(?:for|host|proto|port|prefix|server|method|uri)|x-real-ip|x-request-id|trace(?:parent|state)|x-auth-(?:subject|tenant|client|scopes|roles)|x-velum-mirror)$/
/** Describes a content that does not travel with these headers. */
const ofContent = /^content-(?:type|encoding|length|range|location)$/

const names = (forbidden: (name: string) => boolean): z.ZodType<readonly string[], readonly string[]> =>
  z
    .array(
      headerNameOption.superRefine((name, context) => {
        if (!forbidden(name)) return
        const remedy = 'leave it out: the gateway sets it, or it belongs to one connection'
        context.addIssue({ code: 'custom', message: `${JSON.stringify(name)} cannot be handed on`, params: { remedy } })
      }),
    )
    .max(64)
    .readonly()

const isNoMatter = (name: string): boolean => ofConnections.has(name) || ofGateway.test(name)

/** See `ExternalInput`. */
export const externalOption = z
  .strictObject({
    service: z.string().min(1).describe('The name of the service that is asked.'),
    path: z
      .string()
      .regex(/^\/[!-~]*$/, { error: 'a path begins with a slash and has no spaces' })
      .refine((path) => !path.includes('#'), { error: 'a path has no #' })
      .optional()
      .describe('Where it is asked. What is asked for stands in X-Forwarded-Method, -Host, -Proto and -Uri. Default: /.'),
    method: z.enum(['GET', 'HEAD', 'POST']).optional().describe('How it is asked. Default: GET, or POST with `body`.'),
    send: names(isNoMatter)
      .optional()
      .describe(
        "Request headers that it gets, the gateway's own cookies taken out. Default: authorization and cookie; none where `any` says who is calling, which it is told as its `identity` says.",
      ),
    body: sizeOption
      .optional()
      .describe('Sends the request body along, up to this size; a larger one is 413. Default: the body is not sent.'),
    toService: names((name) => isNoMatter(name) || ofContent.test(name) || name === 'set-cookie')
      .optional()
      .describe(
        'Headers of its permission that the service behind the route gets. What the client sent under these names is dropped, whatever the answer. Default: none.',
      ),
    toClient: names((name) => isNoMatter(name) || ofContent.test(name))
      .optional()
      .describe('Headers of its refusal that the client gets. Default: www-authenticate, location and retry-after.'),
    timeout: durationOption.optional().describe('How long its answer is waited for; then 504. Default: 1s.'),
    cache: durationOption
      .optional()
      .describe(
        'For how long a decision holds for requests of which all is the same that it was told, address included; no-store and a shorter max-age of its answer count. Default: not at all.',
      ),
    onFailure: z
      .union([
        z.literal('closed'),
        z.strictObject({ stale: durationOption.describe('For how long after it was asked or `cache` has passed.') }),
      ])
      .optional()
      .describe(
        'What becomes of requests while it cannot be asked: `closed` answers 503 or 504; { stale } goes on with what it permitted before. Default: closed.',
      ),
  })
  .transform((read, context): ExternalOptions => {
    const hasBody = read.body !== undefined
    const method = read.method ?? (hasBody ? 'POST' : 'GET')
    const issue = (path: string, message: string, remedy: string): void =>
      context.addIssue({ code: 'custom', path: [path], message, params: { remedy } })
    if (hasBody && method !== 'POST') issue('method', `a ${method} carries no body`, 'write POST, or leave body out')
    const keeps = read.cache !== undefined || (read.onFailure !== undefined && read.onFailure !== 'closed')
    if (hasBody && keeps) issue('body', 'decisions about bodies are not kept', 'leave out body, or cache and onFailure')
    const timeoutMs = read.timeout ?? 1000
    if (timeoutMs < 10 || timeoutMs > 60_000) issue('timeout', 'this is no time to wait for a decision', 'write 10ms to 60s')
    return {
      service: read.service,
      path: read.path ?? '/',
      method,
      send: read.send,
      maxBodyBytes: read.body,
      toService: read.toService ?? [],
      toClient: read.toClient ?? ['www-authenticate', 'location', 'retry-after'],
      timeoutMs,
      cacheMs: read.cache ?? 0,
      staleMs: read.onFailure === undefined || read.onFailure === 'closed' ? 0 : read.onFailure.stale,
    }
  })
