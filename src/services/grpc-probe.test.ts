import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Answer } from '../core/answer.ts'
import type { Chunk, End } from '../core/body.ts'
import { BytesBody, END, StreamBody, emptyBody } from '../core/body.ts'
import { Fault } from '../core/fault.ts'
import { Headers } from '../core/headers.ts'
import { ManualClock } from '../core/manual-clock.ts'
import type { Call } from '../core/service.ts'
import type { ClientWire } from '../wire/client-wire.ts'
import { grpcProbe } from './grpc-probe.ts'

class Pieces extends StreamBody {
  readonly #pieces: Buffer[]
  readonly #trailers: Headers
  cancelled = false

  constructor(pieces: readonly Buffer[], trailers: Headers) {
    super(undefined)
    this.#pieces = [...pieces]
    this.#trailers = trailers
  }
  trailers(): Headers {
    return this.#trailers
  }
  protected read(): Chunk | End {
    return this.#pieces.shift() ?? END
  }
  protected stop(): void {
    this.cancelled = true
  }
}

function wireOf(send: (call: Call) => Answer): ClientWire {
  return { send: async (call) => send(call), open: 0, busy: 0, queued: 0, close() {} }
}

const status = (code: string): Headers => Headers.from([['grpc-status', code]])
const serving = Buffer.from([0, 0, 0, 0, 2, 0x08, 1])
const streamed = (pieces: readonly Buffer[], code = '0'): Answer => new Answer(200, new Headers(), new Pieces(pieces, status(code)))

async function found(answer: () => Answer): Promise<string> {
  return grpcProbe(wireOf(answer), '', new ManualClock())()
}

function raise(fault: Fault): never {
  throw fault
}

describe('gRPC health probe', () => {
  it('asks Check about the service', async () => {
    const calls: Call[] = []
    const wire = wireOf((call) => {
      calls.push(call)
      return streamed([serving])
    })
    assert.equal(await grpcProbe(wire, 'orders', new ManualClock())(), '')
    assert.equal(await grpcProbe(wire, '', new ManualClock())(), '')
    assert.deepEqual([calls[0].method, calls[0].target], ['POST', '/grpc.health.v1.Health/Check'])
    assert.equal(calls[0].headers.get('content-type'), 'application/grpc')
    assert.deepEqual([...calls[0].body.bytes!], [0, 0, 0, 0, 8, 0x0a, 6, ...Buffer.from('orders')])
    assert.deepEqual([...calls[1].body.bytes!], [0, 0, 0, 0, 0])
  })

  const cases: [what: string, answer: () => Answer, wrong: string][] = [
    ['SERVING in pieces', () => streamed([serving.subarray(0, 3), serving.subarray(3)]), ''],
    ['NOT_SERVING', () => streamed([Buffer.from([0, 0, 0, 0, 2, 0x08, 2])]), 'not-serving'],
    ['SERVICE_UNKNOWN', () => streamed([Buffer.from([0, 0, 0, 0, 2, 0x08, 3])]), 'service-unknown'],
    ['UNKNOWN, which is not written down', () => streamed([Buffer.alloc(5)]), 'unknown'],
    ['a status besides a message', () => streamed([serving], '14'), 'grpc-status 14'],
    ['a status alone: no health service', () => new Answer(200, status('12'), emptyBody), 'grpc-status 12'],
    ['no status', () => new Answer(200, new Headers(), new BytesBody(serving)), 'no grpc-status'],
    ['another protocol', () => new Answer(404, new Headers(), emptyBody), 'status 404'],
    ['a cut-off message', () => streamed([serving.subarray(0, 6)]), 'nonsense'],
    ['a compressed message', () => streamed([Buffer.from([1, 0, 0, 0, 2, 0x08, 1])]), 'nonsense'],
    ['a number that stands for nothing', () => streamed([Buffer.from([0, 0, 0, 0, 2, 0x08, 99])]), 'nonsense'],
  ]
  for (const [what, answer, wrong] of cases) {
    it(`finds ${wrong === '' ? 'nothing' : wrong} in ${what}`, async () => assert.equal(await found(answer), wrong))
  }

  it('reads no more than a message needs', async () => {
    const body = new Pieces(
      Array.from({ length: 20 }, () => Buffer.alloc(100)),
      status('0'),
    )
    assert.equal(await found(() => new Answer(200, new Headers(), body)), 'service-nonsense')
    assert.ok(body.cancelled)
  })

  it('says what fails', async () => {
    const late = new Fault('service-timeout')
    assert.equal(await found(() => raise(late)), 'service-timeout')
  })
})
