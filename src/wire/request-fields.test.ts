import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Headers } from '../core/headers.ts'
import { RequestFields } from './request-fields.ts'

function read(raw: readonly string[], version: '1.0' | '1.1' = '1.1'): { fields: RequestFields; fault: string | undefined } {
  const { text, marks } = Headers.received(raw)
  const fields = new RequestFields()
  return { fields, fault: fields.read(text, marks, version)?.message }
}
const host = ['Host', 'a']
const isPersistent = (raw: readonly string[], version?: '1.0' | '1.1'): boolean =>
  read([...host, ...raw], version).fields.isPersistent
const upgradeIn = (raw: readonly string[], version?: '1.0' | '1.1'): string | undefined =>
  read([...host, ...raw], version).fields.upgrade

describe('RequestFields', () => {
  test('one object serves many messages', () => {
    const fields = new RequestFields()
    const first = Headers.received([...host, 'Content-Length', '3', 'Connection', 'close', 'Expect', '100-continue'])
    assert.equal(fields.read(first.text, first.marks, '1.1'), undefined)
    assert.deepEqual([fields.contentLength, fields.isPersistent, fields.expectsContinue], [3, false, true])
    const second = Headers.received([...host, 'Transfer-Encoding', 'chunked', 'Connection', 'upgrade', 'Upgrade', 'a'])
    assert.equal(fields.read(second.text, second.marks, '1.1'), undefined)
    assert.deepEqual([fields.contentLength, fields.isChunked, fields.isPersistent, fields.upgrade], [-1, true, true, undefined])
    assert.equal(fields.offersUpgrade, true)
    const third = Headers.received([])
    assert.equal(fields.read(third.text, third.marks, '1.0'), undefined)
    assert.deepEqual([fields.authority, fields.isChunked, fields.offersUpgrade], ['', false, false])
  })

  test('connections persist as RFC 9112 §9.3 says', () => {
    assert.equal(isPersistent([]), true)
    assert.equal(isPersistent(['Connection', 'Close']), false)
    assert.equal(isPersistent(['Connection', 'keep-alive, close']), false)
    assert.equal(isPersistent(['Connection', 'close', 'Connection', 'keep-alive']), false)
    assert.equal(isPersistent(['Connection', 'closed']), true)
    assert.equal(isPersistent(['Connection', 'x, close\u00a0']), true)
    assert.equal(isPersistent([], '1.0'), false)
    assert.equal(isPersistent(['Connection', 'Keep-Alive'], '1.0'), true)
    assert.equal(isPersistent(['Connection', 'x, keep-alive'], '1.0'), true)
    assert.equal(isPersistent(['Connection', 'keep-alive, close'], '1.0'), false)
  })

  test('one protocol may be offered, by HTTP/1.1, without a body', () => {
    assert.equal(upgradeIn(['Connection', 'Upgrade', 'Upgrade', 'WebSocket']), 'websocket')
    assert.equal(upgradeIn(['Upgrade', 'TLS/1.3', 'Connection', 'a, UPGRADE ,b']), 'tls/1.3')
    assert.equal(upgradeIn(['Connection', 'upgrade']), undefined)
    assert.equal(upgradeIn(['Connection', 'upgrade', 'Upgrade', '']), undefined)
    assert.equal(upgradeIn(['Connection', 'upgrade', 'Upgrade', 'a', 'Upgrade', 'b']), undefined)
    assert.equal(upgradeIn(['Connection', 'upgrade', 'Upgrade', 'a/b/c']), undefined)
    assert.equal(upgradeIn(['Connection', 'upgrade', 'Upgrade', 'H2C']), undefined)
    assert.equal(upgradeIn(['Connection', 'upgrade', 'Upgrade', 'h2c-17']), undefined)
    assert.equal(upgradeIn(['Connection', 'upgrade', 'Upgrade', 'a', 'Content-Length', '1']), undefined)
    assert.equal(upgradeIn(['Connection', 'upgrade', 'Upgrade', 'a', 'Content-Length', '0']), 'a')
    assert.equal(upgradeIn(['Connection', 'upgrade', 'Upgrade', 'a'], '1.0'), undefined)
  })

  test('any one fault refuses, with a reason for the client', () => {
    assert.match(read([]).fault!, /Host is missing/)
    assert.match(read([...host, ...host]).fault!, /more than once/)
    assert.match(read([...host, 'Transfer-Encoding', 'chunked', 'Content-Length', '1']).fault!, /stand together/)
    assert.match(read([...host, 'transfer_encoding', 'chunked']).fault!, /underscore/)
    assert.match(read([...host, 'content_length', '1']).fault!, /underscore/)
    assert.match(read([...host, 'Transfer-Encoding', 'chunked'], '1.0').fault!, /HTTP\/1.0/)
    assert.equal(read([...host, 'Expect', '100-continue', 'Expect', 'x']).fault, 'expectation-failed')
  })
})
