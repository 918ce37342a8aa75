import type { Charge, LevelState } from '../core/counters.ts'
import { headerId } from '../core/header-names.ts'
import type { HeaderBlock } from '../core/headers.ts'
import type { LimitFields, LimitSpec, Rate } from './limit-spec.ts'

/**
 * What callers are told of a limit: RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers-11, structured
 * fields written by hand), and the X-RateLimit family where a limit asks for it.
 */

/** Field names as they are sent, with their ids. */
const policyField = 'ratelimit-policy'
const limitField = 'ratelimit'
const legacyNames = ['x-ratelimit-limit', 'x-ratelimit-remaining', 'x-ratelimit-reset'] as const
const draftIds = [headerId(policyField), headerId(limitField)]
const legacyIds = legacyNames.map(headerId)

/** The largest integer of a structured field (RFC 9651 §3.3.1). */
const largestInteger = 999_999_999_999_999
const shortestMonthSeconds = 28 * 86_400
/** A block takes half a KiB, and each limit of each route keeps its own: a thousand routes would fill workers with them. */
const blocksKept = 128

interface Kept {
  readonly policies: string
  readonly remaining: number
  readonly seconds: number
  readonly block: HeaderBlock
}

/** What one limit says in header fields. */
export class LimitVoice {
  /** Its item of RateLimit-Policy. */
  readonly policyItem: string
  readonly saysDraft: boolean
  readonly legacy: 'delta' | 'epoch' | undefined
  readonly #name: string
  readonly #spec: LimitSpec
  /** Of buckets: whole units per second at the sustained rate, as a fraction. */
  readonly #rate: Rate | undefined
  readonly #windowSeconds: number
  /** Ready blocks by what is left. */
  readonly #kept: (Kept | undefined)[] = []

  constructor(spec: LimitSpec) {
    const fields: readonly LimitFields[] = spec.fields ?? ['ratelimit']
    this.#spec = spec
    this.#name = structuredString(spec.name)
    this.#rate = rateOf(spec)
    this.#windowSeconds = windowSecondsOf(spec)
    this.saysDraft = fields.includes('ratelimit')
    this.legacy = fields.includes('x-ratelimit-epoch') ? 'epoch' : fields.includes('x-ratelimit') ? 'delta' : undefined
    const unit = spec.algorithm === 'concurrency' ? ';qu="concurrent-requests"' : ''
    const window = this.#windowSeconds === 0 ? '' : `;w=${this.#windowSeconds}`
    this.policyItem = `${this.#name};q=${quantityOf(spec)}${window}${unit}`
  }

  /**
   * Seconds over which what is left may be spent; with nothing left, until something is. Spent over that time a bucket's
   * rest runs at its sustained rate, which is what the draft's cap on r/t asks for.
   */
  seconds(state: LevelState): number {
    const seconds = Math.max(1, Math.ceil(this.#milliseconds(state) / 1000))
    // The draft wants no retry before the end of the effective window, and a retry is never put off for it.
    return state.retryAfterMs === 0 || state.retryAfterMs === Infinity
      ? seconds
      : Math.min(seconds, retrySeconds(state.retryAfterMs))
  }

  /** Its item of RateLimit. */
  item(remaining: number, seconds: number): string {
    const r = `${this.#name};r=${Math.min(remaining, largestInteger)}`
    return this.#spec.algorithm === 'concurrency' ? r : `${r};t=${seconds}`
  }

  /** Both fields: `policies` and this limit's item. Blocks are kept, since what is left repeats from request to request. */
  block(policies: string, state: LevelState): HeaderBlock {
    const seconds = this.seconds(state)
    const { remaining } = state
    const place = remaining % blocksKept
    const kept = this.#kept[place]
    if (kept !== undefined && kept.remaining === remaining && kept.seconds === seconds && kept.policies === policies)
      return kept.block
    const block = madeBlock([policyField, limitField], [policies, this.item(remaining, seconds)], draftIds)
    this.#kept[place] = { policies, remaining, seconds, block }
    return block
  }

  /** X-RateLimit-Limit, -Remaining, -Reset. */
  legacyBlock(state: LevelState, nowMs: number): HeaderBlock {
    const delta = this.seconds(state)
    const reset = this.legacy === 'epoch' ? Math.ceil(nowMs / 1000) + delta : delta
    return madeBlock(legacyNames, [`${quantityOf(this.#spec)}`, `${state.remaining}`, `${reset}`], legacyIds)
  }

  #milliseconds(state: LevelState): number {
    if (state.remaining === 0) return state.unitAfterMs
    if (this.#rate !== undefined) return (state.remaining * this.#rate.periodMs) / this.#rate.units
    if (state.resetAfterMs > 0) return state.resetAfterMs
    return (this.#windowSeconds === 0 ? shortestMonthSeconds : this.#windowSeconds) * 1000
  }
}

/** Retry-After: whole seconds, at least one, never before the moment itself. */
export function retrySeconds(retryAfterMs: number): number {
  return Math.max(1, Math.ceil(retryAfterMs / 1000))
}

/** A level of a request and how it stands. */
export interface Standing {
  readonly voice: LimitVoice
  readonly charge: Charge
  readonly state: LevelState
}

/** The value of RateLimit-Policy for these limits; '' when none of them says anything. */
export function policiesOf(voices: readonly LimitVoice[]): string {
  return voices
    .filter((voice) => voice.saysDraft)
    .map((voice) => voice.policyItem)
    .join(', ')
}

/** RateLimit-Policy as given, with RateLimit of the level that says most about how soon a caller will be refused. */
export function draftFields(policies: string, levels: readonly Standing[]): HeaderBlock {
  const tightest = tightestOf(levels, (voice) => voice.saysDraft)!
  return tightest.voice.block(policies, tightest.state)
}

/** The X-RateLimit fields of the tightest level that wants them. */
export function legacyFields(levels: readonly Standing[], nowMs: number): HeaderBlock | undefined {
  const tightest = tightestOf(levels, (voice) => voice.legacy !== undefined)
  return tightest?.voice.legacyBlock(tightest.state, nowMs)
}

/** Fewest further requests first, then the longest wait for one. */
function tightestOf(levels: readonly Standing[], speaks: (voice: LimitVoice) => boolean): Standing | undefined {
  let tightest: Standing | undefined
  let fewest = 0
  for (const level of levels) {
    if (!speaks(level.voice)) continue
    const left = callsLeft(level)
    const isTighter =
      tightest === undefined || left < fewest || (left === fewest && level.state.unitAfterMs > tightest.state.unitAfterMs)
    if (!isTighter) continue
    tightest = level
    fewest = left
  }
  return tightest
}

function callsLeft({ charge, state }: Standing): number {
  if (state.retryAfterMs > 0) return -1
  return charge.cost <= 1 ? state.remaining : Math.floor(state.remaining / charge.cost)
}

// Made of validated names and numbers only, so what `headerBlock` checks need not be checked again.
function madeBlock(names: readonly string[], values: readonly string[], ids: readonly number[]): HeaderBlock {
  let text = ''
  const pairs: [string, string][] = []
  for (let i = 0; i < names.length; i++) {
    text += `${names[i]}: ${values[i]}\r\n`
    pairs.push([names[i], values[i]])
  }
  return { pairs, ids, text }
}

/** A String of RFC 9651 §4.1.6. Limit names are printable ASCII. */
function structuredString(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`
}

function quantityOf(spec: LimitSpec): number {
  return spec.algorithm === 'token-bucket' || spec.algorithm === 'leaky-bucket' ? spec.capacity : spec.limit
}

function rateOf(spec: LimitSpec): Rate | undefined {
  if (spec.algorithm === 'token-bucket') return spec.refill
  return spec.algorithm === 'leaky-bucket' ? spec.leak : undefined
}

/** The window of RateLimit-Policy; 0 where there is none of fixed length. */
function windowSecondsOf(spec: LimitSpec): number {
  const rate = rateOf(spec)
  if (rate !== undefined) return Math.max(1, Math.ceil((quantityOf(spec) * rate.periodMs) / rate.units / 1000))
  if (spec.algorithm === 'quota') return spec.period === 'day' ? 86_400 : 0
  return 'windowMs' in spec ? Math.max(1, Math.ceil(spec.windowMs / 1000)) : 0
}
