import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { END } from '../../core/body.ts'
import { Fault } from '../../core/fault.ts'
import { FrameReader } from './frames.ts'
import { MessageQueue } from './message-source.ts'
import { RequestBody } from './request-body.ts'

function queue(): { queue: MessageQueue; told: string[] } {
  const told: string[] = []
  return {
    told,
    queue: new MessageQueue(
      () => void told.push('room'),
      (why) => void told.push(why.code),
    ),
  }
}

suite('messages that a caller pushes', () => {
  test('come out in order, then the end', async () => {
    const { queue: messages } = queue()
    const first = messages.pull()
    messages.push(Buffer.from('a'))
    messages.push(Buffer.from('b'))
    messages.end()
    assert.deepEqual([await first, messages.pull(), messages.pull()], [Buffer.from('a'), Buffer.from('b'), END])
  })

  test('one who pushes too much is asked to wait, and told when there is room', () => {
    const { queue: messages, told } = queue()
    assert.equal(messages.push(Buffer.alloc(40_000)), true)
    assert.equal(messages.push(Buffer.alloc(40_000)), false)
    assert.deepEqual(told, [])
    void messages.pull()
    assert.deepEqual(told, ['room'])
  })

  test('empty messages fill the queue too', () => {
    const { queue: messages, told } = queue()
    let count = 0
    while (messages.push(Buffer.alloc(0))) count++
    assert.ok(count < 1000)
    while (told.length === 0) void messages.pull()
    assert.deepEqual(told, ['room'])
  })

  test('a caller that breaks off fails the call, a service that wants no more tells the caller', async () => {
    const { queue: messages } = queue()
    const waiting = messages.pull() as Promise<unknown>
    messages.fail(new Fault('client-left'))
    await assert.rejects(waiting, /client-left/)
    assert.throws(() => messages.pull(), /client-left/)
    const other = queue()
    other.queue.cancel(new Fault('cancelled'))
    other.queue.cancel(new Fault('cancelled'))
    assert.deepEqual(other.told, ['cancelled'])
  })
})

suite('the content of a call', () => {
  test('many small messages are few pieces, and none is lost', async () => {
    const { queue: messages } = queue()
    for (let i = 0; i < 1000; i++) messages.push(Buffer.from(`message ${i}`))
    messages.end()
    const body = new RequestBody(messages, false)
    const reader = new FrameReader(100)
    const got: string[] = []
    let pieces = 0
    for (let chunk = await body.pull(); chunk !== END; chunk = await body.pull()) {
      pieces++
      reader.add(chunk)
      for (let frame = reader.next(); frame !== undefined; frame = reader.next()) got.push(frame.content.toString())
    }
    assert.deepEqual(
      got,
      Array.from({ length: 1000 }, (_, i) => `message ${i}`),
    )
    assert.ok(pieces <= 3, `${pieces} pieces`)
  })

  test('what is there goes at once, what comes later follows', async () => {
    const { queue: messages } = queue()
    const body = new RequestBody(messages, false)
    messages.push(Buffer.from('a'))
    assert.equal(((await body.pull()) as Buffer).toString('latin1', 5), 'a')
    const next = body.pull()
    messages.push(Buffer.from('b'))
    assert.equal(((await next) as Buffer).toString('latin1', 5), 'b')
    const last = body.pull()
    messages.end()
    assert.equal(await last, END)
  })

  test('a message may be compressed', async () => {
    const { queue: messages } = queue()
    messages.push(Buffer.from('a'.repeat(500)))
    messages.end()
    const reader = new FrameReader(1000)
    reader.add((await new RequestBody(messages, true).pull()) as Buffer)
    const { flag, content } = reader.next()!
    assert.deepEqual([flag, gunzipSync(content).length], [1, 500])
  })
})
