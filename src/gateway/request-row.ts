import type { Exchange } from '../core/exchange.ts'
import type { Fault } from '../core/fault.ts'
import type { Identity } from '../core/identity.ts'
import type { Outcome, Policy } from '../core/policy.ts'
import type { Verdict } from '../core/verdict.ts'
import type { StepDecision } from './explanation.ts'
import { redactQuery, withoutQuery } from './redact.ts'

/** What of a policy is kept with requests: never the policy, which would keep its whole Generation. */
export interface PolicyOutline {
  readonly name: string
  readonly stage: string
  readonly source: string
}

/** The outlines of policies, in their order. */
export function outlinesOf(policies: readonly Policy[]): PolicyOutline[] {
  return policies.map(({ name, stage, source }) => ({ name, stage, source }))
}

/** Why a request is kept: it was refused or failed, an operator asked for it, or chance. */
export type KeptFor = 'refused' | 'failed' | 'traced' | 'sample'

/** What one policy decided about a request. */
export interface RequestVerdict extends Omit<PolicyOutline, 'name'> {
  readonly policy: string
  readonly code: string
  readonly decision: Exclude<StepDecision, 'acts' | 'unknown'>
  readonly words: string
}

/** One request that was answered, as operators read it. Plain data without secrets: headers and contents are not kept. */
export interface RequestRow {
  readonly id: string
  /** Milliseconds since 1970 of its first byte. */
  readonly at: number
  readonly durationMs: number
  readonly keptFor: KeptFor
  readonly listener: string
  readonly version: string
  readonly address: string
  readonly method: string
  readonly host: string
  readonly path: string
  readonly query: string | undefined
  readonly status: number
  readonly end: string
  readonly route: string | undefined
  readonly service: string | undefined
  readonly target: string | undefined
  readonly attempts: number
  readonly caller:
    | (Pick<Identity, 'kind' | 'issuer' | 'subject' | 'tenant' | 'client'> & { readonly scopes: readonly string[] })
    | undefined
  /** The policy that refused it, why, and the rule's place in the configuration. */
  readonly refused:
    | { readonly policy: string; readonly code: string; readonly source: string; readonly label: string | undefined }
    | undefined
  readonly fault: { readonly code: string; readonly why: string } | undefined
  /** Of the policies that were asked, in order. */
  readonly verdicts: readonly RequestVerdict[]
  readonly worker: number
  /** Hash of the configuration that served it. */
  readonly generation: string
}

const noOutlines: readonly PolicyOutline[] = []

/**
 * One kept request, written over again and again: noting copies references and numbers, and makes nothing. Texts that were
 * cut out of a request's head keep that head, so that slots are few.
 */
export class RequestSlot {
  /** Counts what was noted; 0: nothing yet. */
  number = 0
  #keptFor: KeptFor = 'sample'
  #id = ''
  #at = 0
  #durationMs = 0
  #listener = ''
  #version = ''
  #address = ''
  #method = ''
  #host = ''
  #path = ''
  #query: string | undefined = undefined
  #status = 0
  #end = ''
  #route: string | undefined = undefined
  #service = ''
  #target = ''
  #attempts = 0
  #identity: Identity | undefined = undefined
  #refusal: Verdict | undefined = undefined
  #refusedBy: string | undefined = undefined
  #refusedAt = ''
  #fault: Fault | undefined = undefined
  #generation = ''
  readonly #verdicts: (Verdict | undefined)[] = []
  /** How many of them are of this request: shortening the list would cost more than all the rest. */
  #count = 0
  #before = noOutlines
  #behind = noOutlines
  #offset = 0
  /** All of it in words; then nothing else of it is held. */
  #settled: RequestRow | undefined = undefined

  get id(): string {
    return this.#id
  }

  /** A finished exchange; `before` are the policies that it met before routing, `behind` those of its route, from `offset` on. */
  note(
    x: Exchange,
    outcome: Outcome,
    keptFor: KeptFor,
    generation: string,
    before: readonly PolicyOutline[],
    behind: readonly PolicyOutline[] | undefined,
    offset: number,
  ): void {
    this.#keptFor = keptFor
    this.#id = x.id
    this.#at = x.startedAt
    this.#durationMs = outcome.endedAt - x.startedMono
    this.#listener = x.connection.listener
    this.#version = x.version
    this.#address = x.clientAddress
    this.#method = x.method
    this.#host = x.authority
    this.#path = x.path === '' ? x.target : x.path
    this.#query = x.path === '' ? undefined : x.query
    this.#status = outcome.status
    this.#end = outcome.end
    this.#route = x.route?.name
    this.#service = x.service
    this.#target = x.targetAddress
    this.#attempts = x.attempts
    this.#identity = x.identity
    this.#refusal = x.refusal
    this.#refusedBy = x.refusedBy?.name
    this.#refusedAt = x.refusedBy?.source ?? ''
    this.#fault = x.fault ?? outcome.fault
    this.#generation = generation
    this.#before = before
    this.#behind = behind ?? noOutlines
    this.#offset = offset
    this.#settled = undefined
    const { verdicts } = x
    const count = verdicts.length
    this.#count = count
    for (let i = 0; i < count; i++) this.#verdicts[i] = verdicts[i]
  }

  /** A message that never became an exchange. */
  noteRefused(id: string, fault: Fault, listener: string, address: string, status: number, now: number, generation: string): void {
    this.#keptFor = 'failed'
    this.#id = id
    this.#at = now
    this.#durationMs = 0
    this.#listener = listener
    this.#version = ''
    this.#address = address
    this.#method = ''
    this.#host = ''
    this.#path = ''
    this.#query = undefined
    this.#status = status
    this.#end = 'complete'
    this.#route = undefined
    this.#service = ''
    this.#target = ''
    this.#attempts = 0
    this.#identity = undefined
    this.#refusal = undefined
    this.#refusedBy = undefined
    this.#fault = fault
    this.#generation = generation
    this.#count = 0
    this.#settled = undefined
  }

  /**
   * Keeps the words alone and lets go of verdicts and callers, which hold the Generation that they are of; so do those
   * that were left over from longer lists.
   */
  settle(worker: number): void {
    if (this.number === 0 || this.#settled !== undefined) return
    this.#settled = this.row(worker)
    this.#verdicts.length = 0
    this.#count = 0
    this.#before = noOutlines
    this.#behind = noOutlines
    this.#identity = undefined
    this.#refusal = undefined
    this.#fault = undefined
  }

  /** What is kept, in words; only now is anything made of it. */
  row(worker: number): RequestRow {
    if (this.#settled !== undefined) return this.#settled
    const refusal = this.#refusal
    const identity = this.#identity
    const fault = this.#fault
    return {
      id: this.#id,
      at: this.#at,
      durationMs: Math.round(this.#durationMs * 1000) / 1000,
      keptFor: this.#keptFor,
      listener: this.#listener,
      version: this.#version,
      address: this.#address,
      method: this.#method,
      host: this.#host,
      path: withoutQuery(this.#path),
      query: this.#query === undefined ? undefined : redactQuery(this.#query),
      status: this.#status,
      end: this.#end,
      route: this.#route,
      service: this.#service === '' ? undefined : this.#service,
      target: this.#target === '' ? undefined : this.#target,
      attempts: this.#attempts,
      caller: identity === undefined ? undefined : callerOf(identity),
      refused:
        refusal === undefined || this.#refusedBy === undefined
          ? undefined
          : { policy: this.#refusedBy, code: refusal.code, source: refusal.rule ?? this.#refusedAt, label: refusal.label },
      fault: fault === undefined ? undefined : { code: fault.code, why: fault.message },
      verdicts: this.#verdictRows(),
      worker,
      generation: this.#generation,
    }
  }

  #verdictRows(): RequestVerdict[] {
    const rows: RequestVerdict[] = []
    for (let i = 0; i < this.#count; i++) {
      const verdict = this.#verdicts[i]
      const policy = i < this.#before.length ? this.#before[i] : this.#behind[i - this.#offset]
      if (verdict === undefined || policy === undefined) continue
      const { name, stage, source } = policy
      rows.push({
        policy: name,
        stage,
        source: verdict.rule ?? source,
        code: verdict.code,
        decision: decisionOf(verdict),
        words: verdict.words?.() ?? verdict.code,
      })
    }
    return rows
  }
}

/** What a verdict comes to. */
export function decisionOf(verdict: Verdict): RequestVerdict['decision'] {
  if (verdict.refusal !== undefined) return 'refuses'
  if (verdict.shadowed !== undefined) return 'would-refuse'
  return verdict.answers === undefined ? 'passes' : 'answers'
}

function callerOf({ kind, issuer, subject, tenant, client, scopes }: Identity): RequestRow['caller'] {
  return { kind, issuer, subject, tenant, client, scopes }
}
