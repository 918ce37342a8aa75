import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { describe, it } from 'node:test'
import { exchangeOf } from '../../test/support/exchange.ts'
import { Answer } from '../core/answer.ts'
import { BytesBody, END, StreamBody } from '../core/body.ts'
import type { Chunk, End } from '../core/body.ts'
import { Fault } from '../core/fault.ts'
import type { MaybePromise } from '../core/handler.ts'
import { Headers } from '../core/headers.ts'
import { ManualClock } from '../core/manual-clock.ts'
import { Sweeper } from '../core/sweeper.ts'
import { withinDeadline } from './within-deadline.ts'

/** Pieces that come when the test says so. */
class Source extends StreamBody {
  stopped: Fault | undefined
  #waiting: { resolve: (chunk: Chunk | End) => void; reject: (why: Fault) => void } | undefined

  constructor() {
    super(undefined)
  }

  give(chunk: Chunk | End): void {
    this.#waiting!.resolve(chunk)
  }

  trailers(): undefined {
    return undefined
  }

  protected read(): MaybePromise<Chunk | End> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject }
    })
  }

  protected stop(why: Fault): void {
    this.stopped = why
    this.#waiting?.reject(why)
  }
}

function world(): { clock: ManualClock; sweeper: Sweeper } {
  const clock = new ManualClock()
  return { clock, sweeper: new Sweeper(clock) }
}

describe('the deadline of a route', () => {
  it('breaks a body off that still runs, in the middle of a pull', async () => {
    const { clock, sweeper } = world()
    const source = new Source()
    const handler = withinDeadline(() => new Answer(200, new Headers(), source), 1000, { sweeper })
    const { body } = await handler(exchangeOf())
    const first = body.pull() as Promise<Chunk>
    source.give(Buffer.from('a'))
    assert.equal(String(await first), 'a')
    const second = body.pull() as Promise<Chunk>
    clock.advance(1100)
    await assert.rejects(second, { code: 'service-timeout' })
    assert.equal(source.stopped?.code, 'service-timeout')
    assert.throws(() => body.pull(), { code: 'service-timeout' })
  })

  it('counts from the first byte of the request', async () => {
    const { clock, sweeper } = world()
    clock.advance(900)
    const source = new Source()
    const handler = withinDeadline(() => Promise.resolve(new Answer(200, new Headers(), source)), 1000, { sweeper })
    const { body } = await handler(exchangeOf({ startedMono: 0 }))
    const pull = body.pull() as Promise<Chunk>
    clock.advance(200)
    await assert.rejects(pull, { code: 'service-timeout' })
  })

  it('leaves alone what ends before it, or was whole from the start', async () => {
    const { clock, sweeper } = world()
    const source = new Source()
    const { body } = await withinDeadline(() => new Answer(200, new Headers(), source), 1000, { sweeper })(exchangeOf())
    const pull = body.pull() as Promise<Chunk>
    source.give(END)
    assert.equal(await pull, END)
    clock.advance(5000)
    assert.equal(source.stopped, undefined)
    const whole = new BytesBody(Buffer.from('x'))
    assert.equal((await withinDeadline(() => new Answer(200, new Headers(), whole), 1, { sweeper })(exchangeOf())).body, whole)
  })

  it('is over when the reader leaves', async () => {
    const { clock, sweeper } = world()
    const source = new Source()
    const { body } = await withinDeadline(() => new Answer(200, new Headers(), source), 1000, { sweeper })(exchangeOf())
    body.cancel(new Fault('client-left'))
    clock.advance(5000)
    assert.equal(source.stopped?.code, 'client-left')
  })

  it('closes upgraded connections', async () => {
    const { clock, sweeper } = world()
    const client = new PassThrough()
    const ended = { sentBytes: 0, receivedBytes: 0 }
    const tunnel = (): Promise<typeof ended> => new Promise((resolve) => void client.once('close', () => resolve(ended)))
    const handler = withinDeadline(() => new Answer(101, new Headers(), new BytesBody(Buffer.alloc(0)), tunnel), 1000, { sweeper })
    const answer = await handler(exchangeOf())
    const over = answer.tunnel!(client, Buffer.alloc(0))
    clock.advance(1100)
    assert.equal(await over, ended)
    assert.equal(client.destroyed, true)
  })
})
