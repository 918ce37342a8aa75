import type { Connection, Exchange } from '../core/exchange.ts'
import type { Fault } from '../core/fault.ts'
import { H } from '../core/header-names.ts'
import type { Identity } from '../core/identity.ts'
import type { Outcome } from '../core/policy.ts'
import type { AccessTexts } from './access-log.ts'
import { ReplayFields } from './access-replay.ts'
import { redactQuery, withoutQuery } from './redact.ts'

/** Longest text of a client's own making in a line (user agent, host); what is longer is cut. */
const maxTextLength = 256

/** Digits of a Generation's hash in a line: enough to tell apart those that a log can hold. */
const hashLength = 12
/** Places for the ends of lines, by user agent. */
const closings = 256

/** Everything of a line that depends on how a route's exchange was answered, but not on its times and sizes. */
interface Answered {
  readonly status: number
  readonly end: string
  readonly service: string
  readonly target: string
  readonly attempts: number
  readonly hasHead: boolean
  readonly text: string
}

interface Closing {
  readonly agent: string | undefined
  readonly version: string
  readonly listener: string
  readonly text: string
}

/**
 * The access lines of one Generation on one worker: JSON in pino's conventions, each ended by a newline. Written by hand
 * because a line stands on the path of every request; what is not quoted here was held to a narrower alphabet by the
 * wire or the guard. What one line has in common with an earlier one is one piece of text, not made and joined again.
 */
export class AccessLines implements AccessTexts {
  readonly #tail: string
  readonly #replay: ReplayFields
  #time = NaN
  #opening = ''
  #method = ''
  #authority = ''
  #asked = ''
  /** By index of the route plus one; 0: no route. */
  readonly #answered: (Answered | undefined)[] = []
  readonly #closings: (Closing | undefined)[] = Array.from({ length: closings })

  /** `gateway`: its name, where several may write to one stream. */
  constructor(generation: string, worker: number, replay = new ReplayFields(), gateway?: string) {
    this.#replay = replay
    const named = gateway === undefined ? '' : `,"gateway":${quoted(gateway)}`
    this.#tail = `${named},"generation":${quoted(generation.slice(0, hashLength))},"worker":${worker}}\n`
  }

  /** One finished exchange. */
  line(x: Exchange, outcome: Outcome): string {
    let line = this.#openingOf(x.startedAt) + x.id + this.#askedOf(x.method, x.authority)
    line += x.path === '' ? within(withoutQuery(x.target)) : x.path
    if (x.query !== undefined) line += `","query":"${within(redactQuery(x.query))}`
    line += this.#answeredOf(x, outcome)
    if (x.serviceHeadAt !== 0) line += millis(x.serviceHeadAt - x.startedMono)
    line += `,"durationMs":${millis(outcome.endedAt - x.startedMono)},"receivedBytes":${outcome.receivedBytes},"sentBytes":${outcome.sentBytes}`
    if (x.identity !== undefined) line += identityText(x.identity)
    line += this.#replay.text(x)
    if (x.refusedBy !== undefined) line += `,"refusedBy":${quoted(x.refusedBy.name)}`
    if (x.refusal !== undefined) {
      line += `,"verdict":${quoted(x.refusal.code)}`
      if (x.refusal.label !== undefined) line += `,"label":${quoted(x.refusal.label)}`
    }
    const fault = x.fault ?? outcome.fault
    if (fault !== undefined) line += faultText(fault)
    if (x.traceparent !== undefined) line += `,"traceparent":"${x.traceparent}"`
    const { tls, listener, remoteAddress } = x.connection
    if (tls !== undefined) line += `,"tls":"${tls.protocol}"`
    if (x.isProxied) line += `,"peer":"${remoteAddress}"`
    return `${line},"address":"${x.clientAddress}${this.#closingOf(x.headers.first(H.userAgent), x.version, listener)}`
  }

  /** A message that was answered and closed before it became an exchange: nothing in it can be trusted but where it came from. */
  refused(id: string, fault: Fault, connection: Connection, status: number, now: number): string {
    let line = `{"level":30,"time":${now},"msg":"refused","id":"${id}","status":${status}${faultText(fault)}`
    line += `,"address":"${connection.remoteAddress}"`
    if (connection.tls !== undefined) line += `,"tls":"${connection.tls.protocol}"`
    return `${line},"listener":${quoted(connection.listener)}${this.#tail}`
  }

  /** Up to the request's id. */
  #openingOf(time: number): string {
    if (time !== this.#time) {
      this.#time = time
      this.#opening = copyOf(`{"level":30,"time":${time},"msg":"access","id":"`)
    }
    return this.#opening
  }

  /** From behind the id up to the path. */
  #askedOf(method: string, authority: string): string {
    if (authority !== this.#authority || method !== this.#method) {
      this.#asked = copyOf(`","method":"${method}","host":${recurring(cut(authority))},"path":"`)
      this.#method = method
      this.#authority = copyOf(authority)
    }
    return this.#asked
  }

  /** From behind path and query up to the times; that of the service's head, where there is one, comes next. */
  #answeredOf(x: Exchange, { status, end }: Outcome): string {
    const at = x.route === undefined ? 0 : x.route.index + 1
    const hasHead = x.serviceHeadAt !== 0
    const known = this.#answered[at]
    if (
      known !== undefined &&
      known.status === status &&
      known.end === end &&
      known.target === x.targetAddress &&
      known.service === x.service &&
      known.attempts === x.attempts &&
      known.hasHead === hasHead
    ) {
      return known.text
    }
    let text = `","status":${status},"end":"${end}"`
    if (x.route !== undefined) text += `,"route":${recurring(x.route.name)}`
    if (x.service !== '') {
      text += `,"service":${recurring(x.service)},"target":${recurring(x.targetAddress)},"attempts":${x.attempts}`
    }
    if (hasHead) text += `,"serviceMs":`
    const { service, targetAddress: target, attempts } = x
    text = copyOf(text)
    this.#answered[at] = { status, end, service, target, attempts, hasHead, text }
    return text
  }

  /** From behind the address to the end. */
  #closingOf(agent: string | undefined, version: string, listener: string): string {
    const at = agent === undefined ? 0 : (agent.length + agent.charCodeAt(agent.length >> 1) * 31) % closings
    const known = this.#closings[at]
    if (known !== undefined && known.agent === agent && known.version === version && known.listener === listener) return known.text
    const said = agent === undefined ? '' : `,"userAgent":${quoted(cut(agent))}`
    const text = copyOf(`"${said},"version":"${version}","listener":${quoted(listener)}${this.#tail}`)
    // A longer one would have to be kept whole to be known again.
    if (agent === undefined || agent.length <= maxTextLength) {
      this.#closings[at] = { agent: agent === undefined ? undefined : copyOf(agent), version, listener, text }
    }
    return text
  }
}

function identityText(identity: Identity): string {
  let text = `,"issuer":${recurring(identity.issuer)},"subject":${quoted(identity.subject)}`
  if (identity.tenant !== undefined) text += `,"tenant":${recurring(identity.tenant)}`
  if (identity.client !== undefined) text += `,"client":${quoted(identity.client)}`
  return `${text},"credential":"${identity.kind}"`
}

function faultText(fault: Fault): string {
  const why = fault.message === fault.code ? '' : `,"why":${quoted(cut(fault.message))}`
  return `,"fault":"${fault.code}"${why}`
}

/** Fractions of a millisecond down to the microsecond, without the price of printing a double. */
function millis(ms: number): string {
  const micros = ms > 0 ? Math.round(ms * 1000) : 0
  const whole = Math.floor(micros / 1000)
  const rest = micros - whole * 1000
  if (rest === 0) return String(whole)
  return rest < 10 ? `${whole}.00${rest}` : rest < 100 ? `${whole}.0${rest}` : `${whole}.${rest}`
}

/** Texts quoted before, for what comes again and again: names of the configuration, hosts, tenants. */
const maxKnown = 1024
let known = new Map<string, string>()

function recurring(text: string): string {
  const before = known.get(text)
  if (before !== undefined) return before
  // Clients can send as many different texts as they like: start over, rather than grow.
  if (known.size >= maxKnown) known = new Map()
  const made = quoted(text)
  known.set(copyOf(text), made)
  return made
}

/**
 * The same text in one piece of its own. A piece of a head would keep the whole head; what was joined of pieces would be
 * copied piece by piece into every line.
 */
function copyOf(text: string): string {
  return Buffer.from(text).toString()
}

function cut(text: string): string {
  return text.length > maxTextLength ? text.slice(0, maxTextLength) : text
}

function quoted(text: string): string {
  return JSON.stringify(text)
}

/** The same without the quotation marks. */
function within(text: string): string {
  return quoted(text).slice(1, -1)
}
