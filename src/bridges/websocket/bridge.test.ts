import assert from 'node:assert/strict'
import { dirname } from 'node:path'
import { Duplex } from 'node:stream'
import { before, suite, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { exchangeOf } from '../../../test/support/exchange.ts'
import { flowProto } from '../../../test/support/flow-service.ts'
import { Answer } from '../../core/answer.ts'
import type { TunnelEnd } from '../../core/answer.ts'
import type { Chunk, End } from '../../core/body.ts'
import { END, StreamBody, emptyBody } from '../../core/body.ts'
import type { Exchange } from '../../core/exchange.ts'
import type { Fault } from '../../core/fault.ts'
import type { MaybePromise } from '../../core/handler.ts'
import { isPromise } from '../../core/handler.ts'
import { Headers } from '../../core/headers.ts'
import { silentLog } from '../../core/log.ts'
import { ManualClock } from '../../core/manual-clock.ts'
import { silentMeter } from '../../core/meter.ts'
import type { Call, Service } from '../../core/service.ts'
import { Sweeper } from '../../core/sweeper.ts'
import { compileProtos } from '../descriptors/compile-protos.ts'
import type { Descriptors } from '../descriptors/descriptors.ts'
import { readDescriptors } from '../descriptors/descriptors.ts'
import { framed } from '../grpc/frames.ts'
import { standardJson } from '../json/message-codec.ts'
import { createWebsocketBridge } from './bridge.ts'

let descriptors: Descriptors

before(async () => {
  const file = fileURLToPath(flowProto)
  const { set } = await compileProtos([file], dirname(dirname(dirname(file))))
  descriptors = readDescriptors(set!)
})

/** A frame of a client: masked, with a mask of zeros (RFC 6455 §5.3). */
function clientFrame(content: Uint8Array | string, opcode: number): Buffer {
  const bytes = Buffer.from(content)
  assert.ok(bytes.length < 126)
  return Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | bytes.length, 0, 0, 0, 0]), bytes])
}

/** The service's answer, made of what `next` gives. */
class Messages extends StreamBody {
  cancelled: Fault | undefined = undefined
  readonly #next: () => MaybePromise<Chunk | End>

  constructor(next: () => MaybePromise<Chunk | End>) {
    super(undefined)
    this.#next = next
  }

  trailers(): Headers {
    return Headers.from([['grpc-status', '0']])
  }

  protected read(): MaybePromise<Chunk | End> {
    return this.#next()
  }

  protected stop(why: Fault): void {
    this.cancelled = why
  }
}

interface Scene {
  readonly clock: ManualClock
  readonly x: Exchange
  readonly answer: Answer
  readonly end: Promise<TunnelEnd>
  /** What the gateway has written; nothing of it is taken while `isTaking` is false. */
  readonly written: Buffer[]
  readonly client: Duplex
  send(content: Uint8Array | string, opcode?: number): void
  leave(): void
}

function play(kind: string, upstream: Service, isTaking: boolean, early: Buffer = Buffer.alloc(0)): Scene {
  const clock = new ManualClock()
  const sweeper = new Sweeper(clock)
  const bridge = createWebsocketBridge(
    {
      service: 'flow',
      descriptors: { current: descriptors },
      maxMessageBytes: 100_000,
      clock,
      sweeper,
      log: silentLog,
      meter: silentMeter,
    },
    standardJson,
  )
  const lines = ['Sec-WebSocket-Version', '13', 'Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ==']
  const target = `/flow.v1.Flow/${kind}`
  const x = exchangeOf({ target, headers: lines, upgrade: 'websocket' })
  const call: Call = {
    method: 'GET',
    target,
    authority: undefined,
    headers: Headers.received(lines),
    body: emptyBody,
    upgrade: 'websocket',
    headBy: 5000,
  }
  assert.ok(bridge.claims(call, x))
  const answer = bridge.answer(call, x, upstream)
  assert.ok(!isPromise(answer) && answer.status === 101)
  const written: Buffer[] = []
  const client = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, taken) {
      written.push(chunk)
      if (isTaking) taken()
    },
  })
  const end = answer.tunnel!(client, early)
  return {
    clock,
    x,
    answer,
    end,
    written,
    client,
    send: (content, opcode = 1) => void client.push(clientFrame(content, opcode)),
    leave: () => void client.destroy(),
  }
}

const turns = async (): Promise<void> => {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => void setImmediate(resolve))
}
const answerOf = (body: StreamBody): Answer => new Answer(200, Headers.from([['content-type', 'application/grpc']]), body)
const textOf = (written: readonly Buffer[]): string => Buffer.concat(written).toString('latin1')

suite('a call over a WebSocket', { timeout: 30_000 }, () => {
  test('whose client does not read holds less than 128 KB of an endless stream', async () => {
    let pulled = 0
    const message = framed(Buffer.concat([Buffer.from([0x0a, 100]), Buffer.alloc(100, 'x')]))
    const body = new Messages(() => {
      pulled += message.length
      return message
    })
    const scene = play('Out', () => answerOf(body), false)
    scene.send('{}')
    await turns()
    assert.ok(pulled > 10_000 && pulled < 131_072, `${pulled} bytes were taken from the service`)
    scene.leave()
    await scene.end
    assert.equal(body.cancelled?.code, 'client-left')
  })

  test('whose service does not read stops reading its client', async () => {
    const scene = play('In', () => new Promise(() => {}), true)
    for (let i = 0; i < 2000; i++) {
      scene.send('{"how":"ok"}')
      await new Promise((resolve) => void setImmediate(resolve))
    }
    // Of 19 bytes each: what the queue did not take waits in the socket, whose peer waits in turn.
    const waiting = scene.client.readableLength / 19
    assert.ok(waiting > 1000 && waiting < 2000, `${waiting} messages wait`)
    scene.leave()
    await scene.end
    assert.equal(scene.x.left?.code, 'client-left')
  })

  test('is given up when the client leaves before the service has answered', async () => {
    for (const kind of ['One', 'Out', 'In', 'Both']) {
      let calls = 0
      const scene = play(
        kind,
        () => {
          calls++
          return new Promise(() => {})
        },
        true,
      )
      scene.send('{}')
      await turns()
      assert.deepEqual([calls, scene.x.left], [1, undefined])
      scene.leave()
      await scene.end
      assert.equal(scene.x.left?.code, 'client-left')
    }
  })

  test('waits for the first message of a method that takes one, and then as long as the route says', async () => {
    const calls: Call[] = []
    const service: Service = (call) => {
      calls.push(call)
      return answerOf(new Messages(() => END))
    }
    const one = play('One', service, true)
    await turns()
    assert.equal(calls.length, 0)
    one.send('{}')
    await turns()
    assert.deepEqual([calls[0].headBy, calls[0].method, calls[0].target], [5000, 'POST', '/flow.v1.Flow/One'])
    for (const name of ['upgrade', 'connection', 'sec-websocket-key', 'sec-websocket-version']) {
      assert.equal(calls[0].headers.get(name), undefined)
    }
    const both = play('Both', service, true)
    assert.equal(calls[1].headBy, Infinity)
    for (const scene of [one, both]) {
      scene.leave()
      await scene.end
    }
  })

  test('for whose one message nobody waits for ever', async () => {
    const scene = play('Out', () => assert.fail('there is nothing to call with'), true)
    scene.clock.advance(59_000)
    await turns()
    assert.doesNotMatch(textOf(scene.written), /status/)
    scene.clock.advance(2000)
    await turns()
    assert.match(textOf(scene.written), /"code":1,.*\x88\x02\x0f\xa1$/s)
    scene.leave()
    await scene.end
    assert.equal(scene.x.fault?.code, 'body-timeout')
  })

  test('takes what came right behind the handshake', async () => {
    const calls: Call[] = []
    const service: Service = (call) => {
      calls.push(call)
      return answerOf(new Messages(() => END))
    }
    const scene = play('Out', service, true, clientFrame('{}', 1))
    await turns()
    assert.equal(calls.length, 1)
    assert.match(textOf(scene.written), /"code":0/)
    scene.leave()
    await scene.end
  })

  test('of a client that breaks the protocol is closed with the code that says so, and the service hears of it', async () => {
    for (const [bytes, code] of [
      [Buffer.from([0x81, 2, 0x7b, 0x7d]), 1002], // not masked
      [clientFrame('{}', 3), 1002], // no such frame
      [Buffer.concat([Buffer.from([0xc1]), clientFrame('{}', 1).subarray(1)]), 1002], // compressed, though nobody offered that
      [clientFrame(Buffer.from([0xff]), 1), 1007], // not UTF-8
      [Buffer.concat([clientFrame('{', 1).with(0, 0x01), clientFrame('{}', 1)]), 1002], // a message inside of another
    ] as const) {
      const body = new Messages(() => new Promise(() => {}))
      const scene = play('Both', () => answerOf(body), true)
      await turns()
      scene.client.push(Buffer.from(bytes))
      await turns()
      assert.deepEqual(Buffer.concat(scene.written).subarray(-4), Buffer.from([0x88, 2, code >> 8, code & 255]))
      assert.equal(body.cancelled?.code, 'client-left')
      scene.leave()
      await scene.end
    }
  })

  test('ends when the caller is nobody any more, and not for a drain while one answer is under way', async () => {
    const body = new Messages(() => new Promise(() => {}))
    const over = play('Out', () => answerOf(body), true)
    over.send('{}')
    await turns()
    over.answer.hangUp!('caller-over')
    await turns()
    assert.match(textOf(over.written), /\{"\$status":\{"code":16,.*\x88\x02\x0f\xb0/s)
    assert.equal(body.cancelled?.code, 'cancelled')
    over.leave()
    await over.end

    const { promise, resolve } = Promise.withResolvers<Answer>()
    const single = play('One', () => promise, true)
    single.send('{}')
    await turns()
    single.answer.hangUp!('draining')
    await turns()
    assert.deepEqual(single.written, [])
    let given = 0
    resolve(answerOf(new Messages(() => (given++ === 0 ? framed(Buffer.alloc(0)) : END))))
    await turns()
    assert.match(textOf(single.written), /^\x81\x02\{\}.*"code":0.*\x88\x02\x03\xe8/s)
    single.leave()
    await single.end
  })
})
