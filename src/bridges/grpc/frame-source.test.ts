import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { Answer } from '../../core/answer.ts'
import type { Chunk, End } from '../../core/body.ts'
import { END, StreamBody } from '../../core/body.ts'
import { Headers } from '../../core/headers.ts'
import { exchangeOf } from '../../../test/support/exchange.ts'
import { FrameSource } from './frame-source.ts'
import { framed } from './frames.ts'
import { GrpcAnswer } from './grpc-call.ts'
import type { GrpcCallEnv } from './grpc-call.ts'

/** Bytes that are all there, each a piece of its own, as frames of HTTP/2 that wait for their reader may be. */
class Crumbs extends StreamBody {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    super(undefined)
    this.#bytes = bytes
  }

  protected read(): Chunk | End {
    return this.#at < this.#bytes.length ? this.#bytes.subarray(this.#at, ++this.#at) : END
  }

  protected stop(): void {}

  trailers(): Headers {
    return Headers.received(['grpc-status', '0'])
  }
}

suite('frames that come in crumbs', () => {
  const many = framed(Buffer.alloc(65_536, 'a'))

  test('are messages of a caller', async () => {
    const source = new FrameSource(new Crumbs(many), many.length, false)
    assert.deepEqual(await source.pull(), many.subarray(5))
    assert.equal(await source.pull(), END)
  })

  test('are messages of a service', async () => {
    const head = new Answer(200, Headers.received(['content-type', 'application/grpc']), new Crumbs(many))
    // Nothing is asked of clock and sweeper where there is no deadline.
    const env = { maxMessageBytes: many.length } as unknown as GrpcCallEnv
    const answer = new GrpcAnswer(head, exchangeOf(), Infinity, env)
    assert.deepEqual(await answer.pull(), many.subarray(5))
    assert.equal(await answer.pull(), END)
    assert.equal(answer.status?.code, 0)
  })
})
