import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Headers } from '../../core/headers.ts'
import { ManualClock } from '../../core/manual-clock.ts'
import { AnswerHeads, statusLine } from './answer-head.ts'

const clock = new ManualClock(Date.UTC(1994, 10, 15, 8, 12, 31))
const date = 'Date: Tue, 15 Nov 1994 08:12:31 GMT\r\n'
const heads = new AnswerHeads(clock)

test('status lines have reasons of our own, or none', () => {
  assert.equal(statusLine(200), 'HTTP/1.1 200 OK\r\n')
  assert.equal(statusLine(299), 'HTTP/1.1 299 \r\n')
})

test('framing and connection lines are written anew', () => {
  const headers = Headers.received(['Content-Length', '9', 'Connection', 'close', 'X-Mine', '1', 'Content_Length', '8'])
  assert.equal(heads.final(200, headers, 3, 'default'), `HTTP/1.1 200 OK\r\nX-Mine: 1\r\n${date}Content-Length: 3\r\n\r\n`)
  assert.equal(heads.final(200, headers, 'none', 'close'), `HTTP/1.1 200 OK\r\nX-Mine: 1\r\n${date}Connection: close\r\n\r\n`)
  assert.equal(
    heads.final(200, headers, 'chunked', 'keep-alive'),
    `HTTP/1.1 200 OK\r\nX-Mine: 1\r\n${date}Transfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n`,
  )
})

test('the date moves on with the clock, and a given one is kept', () => {
  clock.advance(1000)
  assert.match(heads.final(204, new Headers(), 'none', 'default'), /Date: Tue, 15 Nov 1994 08:12:32 GMT\r\n/)
  const given = Headers.from([['date', 'x']])
  assert.equal(heads.final(204, given, 'none', 'default'), 'HTTP/1.1 204 No Content\r\ndate: x\r\n\r\n')
})

test('Upgrade is told by 101 and 426 alone', () => {
  const headers = Headers.from([
    ['upgrade', 'websocket'],
    ['date', 'x'],
  ])
  assert.equal(
    heads.switching(headers, 'websocket'),
    'HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\ndate: x\r\nConnection: Upgrade\r\n\r\n',
  )
  assert.match(heads.switching(new Headers(), 'websocket'), /Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n$/)
  assert.match(heads.final(426, headers, 0, 'close'), /upgrade: websocket\r\n.*Connection: close, Upgrade\r\n/s)
  assert.match(heads.final(426, headers, 0, 'default'), /Connection: Upgrade\r\n/)
  assert.doesNotMatch(heads.final(200, headers, 0, 'default'), /upgrade/i)
})

test('interim heads have neither date nor framing', () => {
  const headers = Headers.from([
    ['link', '</a>'],
    ['content-length', '3'],
  ])
  assert.equal(heads.interim(103, headers), 'HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n')
})
