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
  let line = `{"level":30,"time":${x.startedAt},"msg":"access","id":"${x.id}","method":"${x.method}"`
  line += `,"host":${quoted(cut(x.authority))},"path":${quoted(x.path === '' ? pathOf(x.target) : x.path)}`
  if (x.query !== undefined) line += `,"query":${quoted(redactQuery(x.query))}`
  line += `,"status":${outcome.status},"end":"${outcome.end}"`
  if (x.route !== undefined) line += `,"route":${quoted(x.route.name)}`
  if (x.service !== '') {
    line += `,"service":${quoted(x.service)},"target":${quoted(x.targetAddress)},"attempts":${x.attempts}`
    if (x.serviceHeadAt !== 0) line += `,"serviceMs":${millis(x.serviceHeadAt - x.startedMono)}`
  }
  line += `,"durationMs":${millis(outcome.endedAt - x.startedMono)}`
  line += `,"receivedBytes":${outcome.receivedBytes},"sentBytes":${outcome.sentBytes},"address":"${x.clientAddress}"`
  if (x.isProxied) line += `,"peer":"${x.connection.remoteAddress}"`
  const identity = x.identity
  if (identity !== undefined) {
    line += `,"issuer":${quoted(identity.issuer)},"subject":${quoted(identity.subject)}`
    if (identity.tenant !== undefined) line += `,"tenant":${quoted(identity.tenant)}`
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
  if (agent !== undefined) line += `,"userAgent":${quoted(cut(agent))}`
  if (x.traceparent !== undefined) line += `,"traceparent":"${x.traceparent}"`
  return `${line},"version":"${x.version}","listener":${quoted(listener)}${tail}`
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
