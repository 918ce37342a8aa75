import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import { Outbox } from './outbox.ts'

class FakeSocket {
  readonly written: string[] = []
  writable = true
  writableLength = 0

  write(text: string): void {
    this.written.push(text)
  }
}

function outboxOf(socket: FakeSocket): Outbox {
  return new Outbox(socket as unknown as Socket)
}

const turnOver = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve))

test('messages are held back until the turn of the event loop is over, and those of one connection go together', async () => {
  const [one, other] = [new FakeSocket(), new FakeSocket()]
  const [first, second] = [outboxOf(one), outboxOf(other)]
  first.post('a')
  second.post('b')
  first.post('c')
  assert.deepEqual([one.written, other.written], [[], []])
  assert.equal(first.isEmpty, false)
  assert.equal(first.unsentBytes, 2)
  await turnOver()
  assert.deepEqual([one.written, other.written], [['ac'], ['b']])
  assert.equal(first.isEmpty, true)
  first.post('d')
  await turnOver()
  assert.deepEqual(one.written, ['ac', 'd'])
})

test('what is flushed goes at once, and once', async () => {
  const socket = new FakeSocket()
  const outbox = outboxOf(socket)
  outbox.post('a')
  outbox.flush()
  assert.deepEqual(socket.written, ['a'])
  outbox.post('b')
  await turnOver()
  assert.deepEqual(socket.written, ['a', 'b'])
})

test('when many connections have something to say, none waits for the turn to end', async () => {
  const sockets = Array.from({ length: 40 }, () => new FakeSocket())
  for (const socket of sockets) outboxOf(socket).post('x')
  assert.equal(sockets.filter(({ written }) => written.length === 1).length, 32)
  await turnOver()
  assert.ok(sockets.every(({ written }) => written.length === 1))
})

test('a message posted while others are being written is not lost', async () => {
  const socket = new FakeSocket()
  const outbox = outboxOf(socket)
  const caller = new FakeSocket()
  caller.write = (text) => {
    caller.written.push(text)
    outbox.post('answer')
  }
  outboxOf(caller).post('question')
  await turnOver()
  await turnOver()
  assert.deepEqual([caller.written, socket.written], [['question'], ['answer']])
})

test('a socket that is no longer writable gets nothing', async () => {
  const socket = new FakeSocket()
  outboxOf(socket).post('late')
  socket.writable = false
  await turnOver()
  assert.deepEqual(socket.written, [])
})
