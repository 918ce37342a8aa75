import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { bearer, explainWorld, session } from '../../test/support/explain-world.ts'
import { BytesBody } from '../core/body.ts'
import { exchangeOf } from './explain-exchange.ts'
import type { ExplainQuestion } from './explanation.ts'

// What is explained must be what happens: the same request is explained and then sent, again and again, so that limits
// fill and the penalty box does its work.
test('what explain says is what happens', async (t) => {
  const w = await explainWorld(t)
  const { cookie } = await session(w)
  const credentials: readonly (readonly [string, string][])[] = [
    [],
    [bearer(w.clock)],
    [bearer(w.clock, { scope: 'other' })],
    [bearer(w.clock, { iss: 'https://other.example' })],
    [['authorization', 'Bearer junk']],
    [['authorization', 'Basic eDp5']],
    [cookie],
    [bearer(w.clock), cookie],
  ]
  const others: readonly (readonly [string, string][])[] = [
    [],
    [['sec-fetch-site', 'cross-site']],
    [['origin', 'https://app.example.com']],
    [
      ['origin', 'https://app.example.com'],
      ['access-control-request-method', 'POST'],
    ],
    [
      ['origin', 'https://evil.example'],
      ['access-control-request-method', 'POST'],
    ],
    [['x-beta', '1']],
    [['content-type', 'application/json']],
  ]
  const question = fc.record({
    method: fc.constantFrom('GET', 'POST', 'HEAD', 'OPTIONS', 'DELETE'),
    url: fc.constantFrom(
      '/orders/1',
      '/orders',
      '/orders/1/x',
      '/orders/',
      '/upload',
      '/staff',
      '/inside',
      '/down',
      '/moved/x?a=1',
      '/page',
      '/watched',
      '/form',
      '/none',
      '/a/%zz',
      '/staff%2fx',
      '/x;y',
      '/../x',
      '/auth/nothing',
      'https://beta.example.com/beta',
      'http://localhost:8080/orders',
    ),
    credential: fc.constantFrom(...credentials),
    other: fc.constantFrom(...others),
    address: fc.constantFrom('127.0.0.1', '10.1.2.3', '10.6.6.6', '192.0.2.7'),
    body: fc.constantFrom(undefined, '{}', 'x'.repeat(2000)),
    passMs: fc.constantFrom(0, 0, 0, 500, 3000),
  })
  await fc.assert(
    fc.asyncProperty(question, async ({ method, url, credential, other, address, body, passMs }) => {
      w.clock.advance(passMs)
      const headers = [...credential, ...other]
      const asked: ExplainQuestion = { method, url, headers, address, ...(body === undefined ? {} : { body }) }
      const told = await w.explain(asked)
      const x = exchangeOf(asked, w.model, w.clock)
      if (body !== undefined) x.body = new BytesBody(Buffer.from(body))
      const served = w.gateway.generation.served(x.connection.listener)!
      const answer = await served.handle(x)
      served.done(x, {
        end: 'complete',
        status: answer.status,
        fault: undefined,
        receivedBytes: 0,
        sentBytes: 0,
        endedAt: w.clock.monotonic(),
      })
      const { outcome } = told
      assert.equal(outcome?.status ?? 200, answer.status, `${JSON.stringify(asked)}: ${JSON.stringify(outcome)}`)
      assert.equal(outcome?.decision === 'refuses' ? outcome.problem : undefined, problemOf(answer.body.bytes, answer.status))
      if (x.refusedBy !== undefined) {
        assert.equal(outcome?.policy, x.refusedBy.name)
        assert.equal(outcome?.code, x.refusal?.code)
      }
      if (x.route !== undefined) assert.equal(told.route?.name, x.route.name)
      const retryAfter = answer.headers.get('retry-after')
      assert.equal(outcome?.retryAfter, retryAfter === undefined ? undefined : Number(retryAfter))
    }),
    { numRuns: 600 },
  )
})

function problemOf(bytes: Buffer | undefined, status: number): string | undefined {
  if (bytes === undefined || status < 400 || !bytes.toString().startsWith('{"type"')) return undefined
  return (JSON.parse(bytes.toString()) as { type: string }).type
}
