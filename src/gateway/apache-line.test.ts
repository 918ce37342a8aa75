import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exchangeOf } from '../../test/support/exchange.ts'
import type { Exchange } from '../core/exchange.ts'
import { Fault } from '../core/fault.ts'
import type { Identity } from '../core/identity.ts'
import type { Outcome } from '../core/policy.ts'
import { AccessLines } from './access-line.ts'
import { ApacheLines } from './apache-line.ts'

const over = (status: number, sentBytes: number): Outcome => {
  return { end: 'complete', status, fault: undefined, receivedBytes: 0, sentBytes, endedAt: 3 }
}
const startedAt = Date.UTC(2000, 9, 10, 20, 55, 36, 789)
const common = new ApacheLines(false)
const combined = new ApacheLines(true)

function calledBy(subject: string, x: Exchange): Exchange {
  x.identity = { kind: 'basic', issuer: 'https://idp', subject, scopes: [], roles: [], claims: {} } as unknown as Identity
  return x
}

test("lines are Apache's own examples", () => {
  const x = calledBy(
    'frank',
    exchangeOf({
      target: '/apache_pb.gif',
      remoteAddress: '127.0.0.1',
      startedAt,
      headers: ['referer', 'http://www.example.com/start.html', 'user-agent', 'Mozilla/4.08 [en] (Win98; I ;Nav)'],
    }),
  )
  const begin = '127.0.0.1 - frank [10/Oct/2000:20:55:36 +0000] "GET /apache_pb.gif HTTP/1.1" 200 2326'
  assert.equal(common.line(x, over(200, 2326)), `${begin}\n`)
  assert.equal(
    combined.line(x, over(200, 2326)),
    `${begin} "http://www.example.com/start.html" "Mozilla/4.08 [en] (Win98; I ;Nav)"\n`,
  )
})

test('what is not there is a dash', () => {
  const x = exchangeOf({ startedAt })
  assert.equal(combined.line(x, over(0, 0)), '192.0.2.1 - - [10/Oct/2000:20:55:36 +0000] "GET / HTTP/1.1" - - "-" "-"\n')
  assert.equal(
    combined.refused('r-1', new Fault('malformed', 'a reason'), x.connection, 400, startedAt),
    '192.0.2.1 - - [10/Oct/2000:20:55:36 +0000] "-" 400 - "-" "-"\n',
  )
})

test('nothing that a client sends ends a field or a line', () => {
  const evil = '" 200 1 "\\\n\r\t\u0000\u007f\u00e9'
  const x = calledBy(
    `a b"\n${String.fromCodePoint(0x1f600)}`,
    exchangeOf({ startedAt, headers: ['user-agent', evil, 'referer', evil] }),
  )
  x.path = '/"\n\\'
  const line = combined.line(x, over(200, 1))
  const shown = '\\" 200 1 \\"\\\\\\n\\r\\t\\x00\\x7f\\xe9'
  assert.equal(
    line,
    `192.0.2.1 - a\\x20b\\"\\n\\xf0\\x9f\\x98\\x80 [10/Oct/2000:20:55:36 +0000] "GET /\\"\\n\\\\ HTTP/1.1" 200 1 "${shown}" "${shown}"\n`,
  )
})

test('no format holds a secret that was planted in what a client sends', () => {
  const planted = 'geheim'
  const headers = [
    'authorization', `Bearer ${planted}`,
    'cookie', `__Host-Http-velum=${planted}; other=${planted}`,
    'x-api-key', planted,
    'proxy-authorization', `Basic ${planted}`,
    'set-cookie', `sid=${planted}`,
    'x-auth-subject', planted,
    'referer', `https://user:${planted}@shop.example/a?code=${planted}&page=2`,
    'user-agent', 'curl/8',
  ] // prettier-ignore
  const query = [
    'access_token',
    'api_key',
    'Client-Secret',
    'X-Amz-Signature',
    'pass%77ord',
    'id_token_hint',
    'sid',
    'code',
    'refresh_token',
  ]
    .map((name) => `${name}=${planted}`)
    .join('&')
  for (const [name, lines] of Object.entries({ common, combined, json: new AccessLines('g1', 0) })) {
    const x = calledBy('ann', exchangeOf({ startedAt, headers, target: `/a?${query}&page=2` }))
    const line = lines.line(x, over(200, 1))
    assert.ok(!line.includes(planted), name)
    assert.ok(line.includes('page=2'), 'the rest stands')
    const unread = exchangeOf({ startedAt, headers, target: `/%zz?${query}` })
    unread.path = ''
    unread.query = undefined
    assert.ok(!lines.line(unread, over(400, 1)).includes(planted), `${name}: a target that could not be read`)
  }
})
