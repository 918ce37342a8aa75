import type { CallerFacts } from '../../core/identity.ts'

/** Who is calling, as a policy sees it: facts of a verified credential, never the credential. */
export type PolicyCaller = CallerFacts

/** A request as a policy sees it: to be read, never to be changed. Its content is not part of it. */
export interface PolicyRequest {
  /** The request id, as in the access log. */
  readonly id: string
  readonly method: string
  /** The normalised path, by which the route was found. */
  readonly path: string
  /** As it came, without "?"; undefined when there was none. */
  readonly query: string | undefined
  /** The Host that was asked for, lower case, with port when one was given. */
  readonly host: string
  /** The client's address. */
  readonly address: string
  /** The route's name. */
  readonly route: string
  /** Undefined for anonymous callers. */
  readonly caller: PolicyCaller | undefined
  /** A header field by its name in any case; several lines joined by ", ". Credentials are not told: undefined. */
  header(name: string): string | undefined
  /** A path parameter of the route, decoded. */
  param(name: string): string | undefined
}

/** The head of an answer on its way to the client. Changes are made when `onHead` has returned. */
export interface PolicyAnswer {
  readonly status: number
  header(name: string): string | undefined
  /** Throws for names and values that are the gateway's own or cannot stand in a header line. */
  setHeader(name: string, value: string): void
  removeHeader(name: string): void
}

/** How an exchange ended. */
export interface PolicyOutcome {
  readonly end: 'complete' | 'client-left' | 'service-failed' | 'timeout'
  /** The status that was sent; 0 when no head went out. */
  readonly status: number
  readonly receivedBytes: number
  readonly sentBytes: number
  readonly durationMs: number
}

/**
 * What a policy keeps between requests: texts under keys, in the memory of one worker. Another worker has its own, a
 * restart or a lost worker begins anew, and a full store forgets what is oldest: it is a memory, not a database.
 */
export interface PolicyRecords {
  get(key: string): string | undefined
  /** Throws for a record larger than all may be. In a peek it does nothing. */
  set(key: string, value: string, ttlMs: number): void
  remove(key: string): void
}

/** Everything that a policy can reach. Nothing in it calls a service. */
export interface PolicyHost<Options> {
  readonly options: Options
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly records: PolicyRecords
  /** The operational log; lines carry the policy's name. */
  readonly log: { info(message: string, fields?: object): void; warn(message: string, fields?: object): void }
  /** Whether it is only asked what would be decided (explain, replay): nothing may come of it. */
  readonly isPeek: boolean
}

/** The statuses with which a policy may refuse. */
export type RefusalStatus = 400 | 403 | 404 | 422 | 429 | 503

/** Ends the request with a problem. */
export interface PolicyRefusal {
  readonly status: RefusalStatus
  /** For the client: one sentence. */
  readonly detail?: string
  /** For log, metrics and explain: kebab-case, never made of what a client sent; of more than 32 the rest are `refused`. Default: `refused`. */
  readonly code?: string
  /** For the operator, in words; no client sees it. */
  readonly why?: string
  /** With 429 and 503: when to come again, whole seconds. Default: 1. */
  readonly retryAfterSeconds?: number
}

/** Lets a request pass with further header fields for its service; they replace what the client sent under these names. */
export interface PolicyPass {
  readonly headers: Readonly<Record<string, string>>
}

/** What a policy decides. */
export type PolicyDecision = 'pass' | PolicyPass | PolicyRefusal

/** A custom policy: what it does, and what becomes of requests when it cannot. */
export interface PolicyDefinition<Options = undefined> {
  /** Reads the `options` of a route as they were written, and throws, in words for the operator, what is wrong. Absent: it takes none. */
  readonly options?: (written: unknown) => Options
  /** After authentication, authorisation and limits, before cache and service. */
  readonly decide?: (request: PolicyRequest, host: PolicyHost<Options>) => PolicyDecision | Promise<PolicyDecision>
  /** The head of the answer is known. Runs for every answer behind this policy, its own refusals too. */
  readonly onHead?: (request: PolicyRequest, answer: PolicyAnswer, host: PolicyHost<Options>) => void
  /** The exchange is over. */
  readonly onDone?: (request: PolicyRequest, outcome: PolicyOutcome, host: PolicyHost<Options>) => void
  /** What becomes of a request when the policy throws or does not decide in time. Default: `refuse`, with 500. */
  readonly onError?: 'refuse' | 'pass'
  /** Whether `decide` may be asked in a peek, where nothing may come of it. Default: false. */
  readonly peek?: boolean
  /** Milliseconds of the worker that one call may take before it counts as over budget. Default: 1. */
  readonly budgetMs?: number
  /** Bytes of source, of the module and of what it imports from beside it, before `velum check` warns. Default: 32 KiB. */
  readonly budgetBytes?: number
  /** Longest time that a promised decision may take, ms. Default: 1000. */
  readonly timeoutMs?: number
  /** Memory for records, in each worker. Default: 1 MiB; at most 64 MiB. */
  readonly maxRecordBytes?: number
}

/** Declares a custom policy; the default export of a module that a configuration names under `policies`. Gives it back as it is. */
export function definePolicy<Options = undefined>(definition: PolicyDefinition<Options>): PolicyDefinition<Options> {
  return definition
}

/** A definition whose options are whatever its own `options` made of them. */
export type AnyPolicy = PolicyDefinition<unknown>

/** What a policy that does not say so has of records, per worker. */
export const defaultRecordBytes = 1024 ** 2

/** What a policy may cost before somebody is told. */
export interface PolicyBudgets {
  /** Of a worker, for one call. */
  readonly ms: number
  /** Of source. */
  readonly bytes: number
}

export function budgetsOf({ budgetMs = 1, budgetBytes = 32 * 1024 }: AnyPolicy): PolicyBudgets {
  return { ms: budgetMs, bytes: budgetBytes }
}

const functions = ['options', 'decide', 'onHead', 'onDone'] as const
const bounds = { budgetMs: 10_000, budgetBytes: 16 * 1024 ** 2, timeoutMs: 60_000, maxRecordBytes: 64 * 1024 ** 2 } as const
const known = new Set<string>([...functions, ...Object.keys(bounds), 'onError', 'peek'])

/** A module's default export as a definition. Throws, in words, what keeps it from being one. */
export function parsePolicy(exported: unknown): AnyPolicy {
  if (typeof exported !== 'object' || exported === null || Array.isArray(exported))
    throw new TypeError('the default export is no policy')
  const fields = exported as Readonly<Record<string, unknown>>
  for (const key of Object.keys(fields)) {
    if (!known.has(key)) throw new TypeError(`a policy has no ${JSON.stringify(key)}: it has ${[...known].join(', ')}`)
  }
  for (const key of functions) {
    if (fields[key] !== undefined && typeof fields[key] !== 'function') throw new TypeError(`"${key}" of the policy is no function`)
  }
  if (fields['decide'] === undefined && fields['onHead'] === undefined && fields['onDone'] === undefined)
    throw new TypeError('the policy has none of decide, onHead and onDone')
  const { onError, peek } = fields
  if (onError !== undefined && onError !== 'refuse' && onError !== 'pass')
    throw new TypeError('"onError" of the policy is neither "refuse" nor "pass"')
  if (peek !== undefined && typeof peek !== 'boolean') throw new TypeError('"peek" of the policy is neither true nor false')
  for (const [key, most] of Object.entries(bounds)) {
    const value = fields[key]
    if (value === undefined || (typeof value === 'number' && value > 0 && value <= most)) continue
    throw new TypeError(`"${key}" of the policy is no number above 0 and up to ${most}`)
  }
  return exported
}

/** The options of one use, as its policy reads them. Throws what is wrong with them. */
export function readOptions({ options }: AnyPolicy, written: unknown): unknown {
  if (options !== undefined) return options(written)
  if (written !== undefined) throw new TypeError('the policy takes no options')
  return undefined
}
