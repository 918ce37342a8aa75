import type { Connection, Exchange } from '../core/exchange.ts'
import type { Fault } from '../core/fault.ts'
import { H } from '../core/header-names.ts'
import type { Outcome } from '../core/policy.ts'
import { redactQuery } from './redact.ts'

/** Longest text of a client's own making in a line (user agent, host); what is longer is cut. */
const maxTextLength = 256

/**
 * One finished exchange as a JSON line in pino's conventions, ended by a newline. `tail` is what all lines of a
 * Generation have in common, from `accessTail`. Written by hand because it stands on the path of every request; what
 * is not quoted here was held to a narrower alphabet by the wire or the guard.
 */
export function accessLine(x: Exchange, outcome: Outcome, tail: string): string {
  let line = `{"level":30,"time":${timeText(x.startedAt)},"msg":"access","id":"${x.id}","method":"${x.method}","host":${recurring(cut(x.authority))},"path":${quoted(x.path === '' ? pathOf(x.target) : x.path)}`
  if (x.query !== undefined) line += `,"query":${quoted(redactQuery(x.query))}`
  line += `,"status":${outcome.status},"end":"${outcome.end}"`
  if (x.route !== undefined) line += `,"route":${recurring(x.route.name)}`
  if (x.service !== '') {
    line += `,"service":${recurring(x.service)},"target":${recurring(x.targetAddress)},"attempts":${x.attempts}`
    if (x.serviceHeadAt !== 0) line += `,"serviceMs":${millis(x.serviceHeadAt - x.startedMono)}`
  }
  line += `,"durationMs":${millis(outcome.endedAt - x.startedMono)}`
  line += `,"receivedBytes":${outcome.receivedBytes},"sentBytes":${outcome.sentBytes},"address":"${x.clientAddress}"`
  if (x.isProxied) line += `,"peer":"${x.connection.remoteAddress}"`
  const identity = x.identity
  if (identity !== undefined) {
    line += `,"issuer":${recurring(identity.issuer)},"subject":${quoted(identity.subject)}`
    if (identity.tenant !== undefined) line += `,"tenant":${recurring(identity.tenant)}`
    if (identity.client !== undefined) line += `,"client":${quoted(identity.client)}`
    line += `,"credential":"${identity.kind}"`
  }
  if (x.refusedBy !== undefined) line += `,"refusedBy":${quoted(x.refusedBy.name)}`
  if (x.refusal !== undefined) {
    line += `,"verdict":${quoted(x.refusal.code)}`
    if (x.refusal.label !== undefined) line += `,"label":${quoted(x.refusal.label)}`
  }
  const fault = x.fault ?? outcome.fault
  if (fault !== undefined) {
    line += `,"fault":"${fault.code}"`
    if (fault.message !== fault.code) line += `,"why":${quoted(cut(fault.message))}`
  }
  const { tls, listener } = x.connection
  if (tls !== undefined) line += `,"tls":"${tls.protocol}"`
  const agent = x.headers.first(H.userAgent)
  if (agent !== undefined) line += `,"userAgent":${recurring(cut(agent))}`
  if (x.traceparent !== undefined) line += `,"traceparent":"${x.traceparent}"`
  return `${line},"version":"${x.version}","listener":${recurring(listener)}${tail}`
}

/** A message that was answered and closed before it became an exchange: nothing in it can be trusted but where it came from. */
export function refusedLine(id: string, fault: Fault, connection: Connection, status: number, now: number, tail: string): string {
  let line = `{"level":30,"time":${now},"msg":"refused","id":"${id}","status":${status},"fault":"${fault.code}"`
  if (fault.message !== fault.code) line += `,"why":${quoted(cut(fault.message))}`
  line += `,"address":"${connection.remoteAddress}"`
  if (connection.tls !== undefined) line += `,"tls":"${connection.tls.protocol}"`
  return `${line},"listener":${quoted(connection.listener)}${tail}`
}

/** Digits of a Generation's hash in a line: enough to tell apart those that a log can hold. */
const hashLength = 12

/** The common end of a Generation's lines. */
export function accessTail(generation: string, worker: number): string {
  return `,"generation":${quoted(generation.slice(0, hashLength))},"worker":${worker}}\n`
}

/** Fractions of a millisecond down to the microsecond, without the price of printing a double. */
function millis(ms: number): string {
  const micros = ms > 0 ? Math.round(ms * 1000) : 0
  const whole = Math.floor(micros / 1000)
  const rest = micros - whole * 1000
  if (rest === 0) return String(whole)
  return rest < 10 ? `${whole}.00${rest}` : rest < 100 ? `${whole}.0${rest}` : `${whole}.${rest}`
}

/** The digits of a time, which many lines in a row have in common. */
let lastTime = 0
let lastTimeText = '0'
function timeText(time: number): string {
  if (time !== lastTime) {
    lastTime = time
    lastTimeText = String(time)
  }
  return lastTimeText
}

/** Texts quoted before, for what comes again and again: names of the configuration, hosts, user agents. */
const maxKnown = 1024
let known = new Map<string, string>()

function recurring(text: string): string {
  const before = known.get(text)
  if (before !== undefined) return before
  // Clients can send as many different texts as they like: start over, rather than grow.
  if (known.size >= maxKnown) known = new Map()
  const made = quoted(text)
  // The key is cut out of what is kept anyway: a piece of a head would keep the whole head.
  if (made.length === text.length + 2) known.set(made.slice(1, -1), made)
  return made
}

function cut(text: string): string {
  return text.length > maxTextLength ? text.slice(0, maxTextLength) : text
}

/** For a target whose path could not be read: nothing of its query, whose secrets could not be told apart either. */
function pathOf(target: string): string {
  const end = target.indexOf('?')
  return end === -1 ? target : target.slice(0, end)
}

function quoted(text: string): string {
  return JSON.stringify(text)
}
