import type { IncomingMessage } from 'node:http'
import { Fault } from '../../core/fault.ts'
import { Headers } from '../../core/headers.ts'
import type { HeadLimits } from '../request-fields.ts'
import { RequestFields } from '../request-fields.ts'
import { isOriginForm, parseAbsoluteTarget, targetByte } from '../request-target.ts'

const notTarget = new Fault('malformed', 'the request target is not valid')
const otherAuthority = new Fault('malformed', 'the request target names another authority than Host')
const tooManyLines = new Fault('head-too-large', 'there are too many header lines')
const targetTooLong = new Fault('target-too-long')
const otherVersion = new Fault('version-not-supported')
const connectRefused = new Fault('method-not-supported', 'CONNECT is not served here')

/** A request that node:http has parsed, held to the rules that our own parser keeps. */
export interface NodeRequest {
  readonly method: string
  readonly target: string
  readonly version: '1.0' | '1.1'
  readonly headers: Headers
  readonly fields: RequestFields
}

/** Checks what node:http lets pass and we do not; gives the fault that refuses the message. */
export function readNodeRequest(req: IncomingMessage, limits: HeadLimits): NodeRequest | Fault {
  const { httpVersion: version, method = '', url = '', rawHeaders } = req
  if (version !== '1.1' && version !== '1.0') return otherVersion
  if (method === 'CONNECT') return connectRefused
  if (url.length > limits.maxTargetBytes) return targetTooLong
  if (rawHeaders.length > limits.maxHeaderCount * 2) return tooManyLines
  for (let i = 0; i < url.length; i++) if (targetByte[url.charCodeAt(i)] !== 1) return notTarget
  const headers = Headers.received(rawHeaders)
  const fields = new RequestFields()
  const fault = fields.read(headers.text, headers.marks, version)
  if (fault !== undefined) return fault
  if (isOriginForm(method, url)) return { method, target: url, version, headers, fields }
  const absolute = parseAbsoluteTarget(method, url)
  if (absolute === undefined) return notTarget
  if (absolute.authority !== fields.authority) return otherAuthority
  return { method, target: absolute.target, version, headers, fields }
}
