import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Headers } from '../../core/headers.ts'
import { RequestHead, headMore, headRefused } from './request-head.ts'

const limits = { maxHeadBytes: 200, maxHeaderCount: 3, maxTargetBytes: 20 }

function read(text: string, from = 0): { result: number; head: RequestHead } {
  const head = new RequestHead(limits)
  head.begin()
  const bytes = Buffer.from('.'.repeat(from) + text, 'latin1')
  return { result: head.read(bytes, from, bytes.length), head }
}

const withTarget = (length: number): string => `GET /${'x'.repeat(length - 1)} HTTP/1.1\r\nHost: a\r\n\r\n`
const ofSize = (size: number): string => {
  const start = 'GET / HTTP/1.1\r\nHost: a\r\nX: '
  return `${start}${'y'.repeat(size - start.length - 4)}\r\n\r\n`
}
const withLines = (count: number): string => `GET / HTTP/1.1\r\nHost: a\r\n${'X: y\r\n'.repeat(count - 1)}\r\n`

describe('RequestHead', () => {
  test('reads a head wherever it lies, and says where it ends', () => {
    const text = 'POST /a?b HTTP/1.1\r\nHost: A\r\nContent-Length: 3\r\n\r\n'
    const { result, head } = read(`${text}abc`, 7)
    assert.equal(result, text.length)
    assert.deepEqual([head.method, head.target, head.version, head.fields.authority], ['POST', '/a?b', '1.1', 'a'])
    assert.equal(head.fields.contentLength, 3)
    assert.equal(head.text, text)
    assert.equal(new Headers(head.text, head.lines.marks).get('host'), 'A')
  })

  test('an empty line in front counts, but is not part of the text', () => {
    const text = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
    const { result, head } = read(`\r\n${text}`)
    assert.equal(result, text.length + 2)
    assert.equal(head.text, text)
    assert.equal(new Headers(head.text, head.lines.marks).get('host'), 'a')
  })

  test('knows that nothing but an empty line has come', () => {
    assert.equal(read('\r\n').head.isBlank, true)
    assert.equal(read('\r\n').result, headMore)
    assert.equal(read('G').head.isBlank, false)
  })

  test('serves one message after another', () => {
    const { head } = read('POST / HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\n')
    const bytes = Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    head.begin()
    assert.equal(head.read(bytes, 0, bytes.length), bytes.length)
    assert.deepEqual([head.method, head.version, head.fields.contentLength], ['GET', '1.1', -1])
  })

  test('usual and unusual methods are told apart by every byte', () => {
    for (const method of ['GET', 'PUT', 'POST', 'HEAD', 'GEX', 'XET', 'PUX', 'POSX', 'HEAX', 'DELETE', 'get']) {
      assert.equal(read(`${method} / HTTP/1.1\r\nHost: a\r\n\r\n`).head.method, method)
    }
  })

  test('the limits hold to the byte', () => {
    assert.ok(read(withTarget(20)).result > 0)
    assert.equal(read(withTarget(21)).head.fault?.code, 'target-too-long')
    assert.equal(read(ofSize(200)).result, 200)
    assert.equal(read(ofSize(201)).result, headRefused)
    assert.equal(read(ofSize(201)).head.fault?.code, 'head-too-large')
    assert.ok(read(withLines(3)).result > 0)
    assert.equal(read(withLines(4)).head.fault?.code, 'head-too-large')
  })

  test('faults are made once: a flood of bad heads costs no stack traces', () => {
    const text = 'GET / HTTP/1.1\r\nA : b\r\n\r\n'
    assert.equal(read(text).head.fault, read(text).head.fault)
  })
})
