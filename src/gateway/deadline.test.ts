import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { emptyBody } from '../core/body.ts'
import { Exchange } from '../core/exchange.ts'
import type { HttpVersion } from '../core/exchange.ts'
import { Headers } from '../core/headers.ts'
import { callerTimeoutMs, passTimeout } from './deadline.ts'

function asked(version: HttpVersion, headers: readonly string[], isProxied = false): Exchange {
  const x = new Exchange({
    method: 'POST',
    target: '/',
    headers: Headers.received(headers),
    version,
    authority: 'a',
    upgrade: undefined,
    connection: { listener: 'l', remoteAddress: '192.0.2.1', remotePort: 1, localPort: 2, tls: undefined },
    link: { inform() {} },
    body: emptyBody,
    startedAt: 0,
    startedMono: 0,
  })
  x.isProxied = isProxied
  return x
}

describe("a caller's time", () => {
  it('is what grpc-timeout says over HTTP/2, whoever says it', () => {
    assert.equal(callerTimeoutMs(asked('2', ['grpc-timeout', '250m'])), 250)
    assert.equal(callerTimeoutMs(asked('2', ['grpc-timeout', 'soon'])), Infinity)
    assert.equal(callerTimeoutMs(asked('1.1', ['grpc-timeout', '250m'])), Infinity)
    assert.equal(callerTimeoutMs(asked('2', [])), Infinity)
  })

  it('is what x-request-timeout of a trusted proxy says, and of nobody else', () => {
    assert.equal(callerTimeoutMs(asked('1.1', ['x-request-timeout', '1500'], true)), 1500)
    assert.equal(callerTimeoutMs(asked('1.1', ['x-request-timeout', '1500'])), Infinity)
    for (const text of ['', '1.5', '-1', '5s', '1234567890']) {
      assert.equal(callerTimeoutMs(asked('1.1', ['x-request-timeout', text], true)), Infinity, text)
    }
  })

  it('is passed on in the form in which it came', () => {
    const x = asked('2', ['grpc-timeout', '2S'])
    const grpc = x.headers.derive()
    passTimeout(grpc, x, 1234.5)
    assert.equal(grpc.get('grpc-timeout'), '1234500u')
    const other = asked('1.1', ['x-request-timeout', '2000'], true)
    const http = new Headers()
    passTimeout(http, other, 1234.5)
    assert.equal(http.get('x-request-timeout'), '1234')
    passTimeout(http, other, 0.2)
    assert.equal(http.get('x-request-timeout'), '1')
  })
})
