import { jsonAnswer } from '../core/answer.ts'
import { readAll } from '../core/body.ts'
import type { Exchange } from '../core/exchange.ts'
import type { Answer } from '../core/answer.ts'
import { httpProblem } from '../core/problem.ts'
import type { Gateway } from '../gateway/gateway.ts'
import type { AssumedCaller, ExplainQuestion } from '../gateway/explanation.ts'
import { QuestionError } from '../gateway/explanation.ts'
import { parseStrictJson } from '../lib/strict-json.ts'
import type { Endpoint } from './endpoint.ts'
import { queryOf } from './endpoint.ts'
import { isObject } from '../lib/is-object.ts'

/** What of a gateway these addresses ask. */
export type ExplainSource = Pick<Gateway, 'explain'>

const maxBodyBytes = 1024 ** 2

/**
 * What would be decided about a request. By POST with a JSON document, since headers may hold credentials; by GET for a
 * quick look: `/api/explain?method=GET&url=/orders/1&header=x-version:+2&subject=ada`.
 */
export function explainEndpoints(gateway: ExplainSource): readonly Endpoint[] {
  const roles = ['admin'] as const
  const explain = async (x: Exchange, read: () => Promise<ExplainQuestion>): Promise<Answer> => {
    try {
      return jsonAnswer(200, await gateway.explain(await read()))
    } catch (thrown) {
      if (!(thrown instanceof QuestionError)) throw thrown
      return httpProblem({ name: 'invalid-content', detail: `${thrown.message}.` }, x.id)
    }
  }
  return [
    { method: 'GET', path: '/api/explain', roles, handle: (x) => explain(x, async () => questionOfQuery(x)) },
    {
      method: 'POST',
      path: '/api/explain',
      roles,
      handle: (x) => explain(x, async () => parseQuestion(parseStrictJson(await readAll(x.body, maxBodyBytes)))),
    },
  ]
}

const members = ['method', 'url', 'headers', 'body', 'listener', 'address', 'caller']
const callerMembers = ['subject', 'kind', 'issuer', 'tenant', 'client', 'scopes', 'roles', 'claims']

/** Reads a question; throws a QuestionError for what is none. */
export function parseQuestion(value: unknown): ExplainQuestion {
  if (!isObject(value)) throw new QuestionError('the question is no JSON object')
  refuseOthers(value, members, '')
  const { method, url, headers = [], caller } = value
  if (typeof method !== 'string') throw new QuestionError('"method" is missing, or no text')
  if (typeof url !== 'string') throw new QuestionError('"url" is missing, or no text')
  return {
    method,
    url,
    headers: headersOf(headers),
    ...texts(value, ['body', 'listener', 'address'], ''),
    ...(caller === undefined ? {} : { caller: callerOf(caller) }),
  }
}

/** As `{ "name": "value" }`, or as a list of pairs where one name is to come more than once. */
function headersOf(value: unknown): [string, string][] {
  const pairs: unknown[] = isObject(value) ? Object.entries(value) : Array.isArray(value) ? value : [undefined]
  return pairs.map((pair) => {
    if (Array.isArray(pair) && pair.length === 2 && typeof pair[0] === 'string' && typeof pair[1] === 'string')
      return [pair[0], pair[1]]
    throw new QuestionError('"headers" is neither an object of texts nor a list of pairs of texts')
  })
}

function callerOf(value: unknown): AssumedCaller {
  if (!isObject(value)) throw new QuestionError('"caller" is no object')
  refuseOthers(value, callerMembers, 'caller.')
  const { subject, claims } = value
  if (typeof subject !== 'string' || subject === '') throw new QuestionError('"caller.subject" is missing, or no text')
  if (claims !== undefined && !isObject(claims)) throw new QuestionError('"caller.claims" is no object')
  return {
    subject,
    ...texts(value, ['kind', 'issuer', 'tenant', 'client'], 'caller.'),
    ...lists(value, ['scopes', 'roles'], 'caller.'),
    ...(claims === undefined ? {} : { claims }),
  }
}

function texts(value: Readonly<Record<string, unknown>>, names: readonly string[], at: string): Record<string, string> {
  const found: [string, string][] = []
  for (const name of names) {
    const text = value[name]
    if (typeof text === 'string') found.push([name, text])
    else if (text !== undefined) throw new QuestionError(`"${at}${name}" is no text`)
  }
  return Object.fromEntries(found)
}

function lists(value: Readonly<Record<string, unknown>>, names: readonly string[], at: string): Record<string, string[]> {
  const found: [string, string[]][] = []
  for (const name of names) {
    const list = value[name]
    if (Array.isArray(list) && list.every((item) => typeof item === 'string')) found.push([name, list])
    else if (list !== undefined) throw new QuestionError(`"${at}${name}" is no list of texts`)
  }
  return Object.fromEntries(found)
}

function refuseOthers(value: object, known: readonly string[], at: string): void {
  const odd = Object.keys(value).find((name) => !known.includes(name))
  if (odd !== undefined) throw new QuestionError(`"${at}${odd}" is not known here: use ${known.join(', ')}`)
}

function questionOfQuery(x: Exchange): ExplainQuestion {
  const query = queryOf(x)
  const given = (name: string): Record<string, string> => {
    const value = query.get(name)
    return value === null ? {} : { [name]: value }
  }
  const listed = (name: string): Record<string, string[]> => {
    const value = query.get(name)
    return value === null ? {} : { [name]: value.split(',').filter((item) => item !== '') }
  }
  return parseQuestion({
    ...given('method'),
    ...given('url'),
    ...given('listener'),
    ...given('address'),
    headers: query.getAll('header').map(headerLine),
    ...(query.has('subject')
      ? { caller: { ...given('subject'), ...given('kind'), ...given('tenant'), ...listed('scopes'), ...listed('roles') } }
      : {}),
  })
}

/** A header as people write it, `name: value`. Throws a QuestionError. */
export function headerLine(line: string): [string, string] {
  const colon = line.indexOf(':')
  if (colon <= 0) throw new QuestionError(`${JSON.stringify(line)} is no header: write "name: value"`)
  return [line.slice(0, colon).trim(), line.slice(colon + 1).trim()]
}
