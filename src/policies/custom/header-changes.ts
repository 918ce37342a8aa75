import type { Answer } from '../../core/answer.ts'
import type { Headers } from '../../core/headers.ts'
import { isOwnCookieLine } from '../../identity/protected-headers.ts'
import { requestObjection, responseObjection } from '../headers.ts'
import { isFieldName, isFieldValue } from '../option-schemas.ts'
import type { PolicyAnswer } from './define-policy.ts'

/** Header fields by lower-case name; undefined takes them out. */
export type HeaderChanges = readonly (readonly [name: string, value: string | undefined])[]

/** So much may one policy add to one message, names and values. */
const maxBytes = 8192

/** Fields for a service, as a policy named them. Throws for those that are the gateway's own or cannot stand in a head. */
export function serviceHeaders(written: Readonly<Record<string, string>>): HeaderChanges {
  const entries = Object.entries(written).map(([name, value]): [string, string] => [name.toLowerCase(), value])
  for (const [name, value] of entries) assertField(name, value, requestObjection)
  assertSize(entries)
  return entries
}

/** Makes changes whose names and values were looked at before. */
export function applyChanges(to: Headers, changes: HeaderChanges): void {
  for (const [name, value] of changes) {
    if (value === undefined) to.remove(name)
    else to.set(name, value)
  }
}

/** An answer's head as a policy sees it; its changes wait until the policy has come to its end. */
export class AnswerView implements PolicyAnswer {
  readonly status: number
  readonly changes: [name: string, value: string | undefined][] = []
  readonly #headers: Headers

  constructor(answer: Answer) {
    this.status = answer.status
    this.#headers = answer.headers
  }

  header(name: string): string | undefined {
    const lower = name.toLowerCase()
    const changed = this.changes.findLast(([other]) => other === lower)
    return changed === undefined ? this.#headers.get(lower) : changed[1]
  }

  setHeader(name: string, value: string): void {
    const lower = name.toLowerCase()
    assertField(lower, value, responseObjection)
    if (lower === 'set-cookie' && isOwnCookieLine(value)) throw new TypeError('this cookie is the gateway’s own')
    this.changes.push([lower, value])
    assertSize(this.changes)
  }

  removeHeader(name: string): void {
    const lower = name.toLowerCase()
    assertField(lower, '', responseObjection)
    this.changes.push([lower, undefined])
  }
}

function assertField(name: string, value: unknown, objection: (name: string) => readonly string[] | undefined): void {
  if (!isFieldName(name)) throw new TypeError(`${JSON.stringify(name.slice(0, 60))} is not a header name`)
  if (typeof value !== 'string' || !isFieldValue(value)) throw new TypeError(`the value of ${name} cannot stand in a header line`)
  const found = objection(name)
  if (found !== undefined) throw new TypeError(found[0])
}

function assertSize(changes: HeaderChanges): void {
  let size = 0
  for (const [name, value] of changes) size += name.length + (value?.length ?? 0)
  if (size > maxBytes) throw new RangeError('the header fields of a policy are larger than 8kb')
}
