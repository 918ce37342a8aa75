import assert from 'node:assert/strict'
import { test } from 'node:test'
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { exchangeOf } from '../../test/support/exchange.ts'
import { optionFaults } from '../../test/support/option-faults.ts'
import { policyEnv } from '../../test/support/policy-env.ts'
import { BytesBody, END, readAll, StreamBody } from '../core/body.ts'
import type { Chunk, End } from '../core/body.ts'
import type { Exchange } from '../core/exchange.ts'
import { Fault } from '../core/fault.ts'
import type { DecideMode } from '../core/policy.ts'
import type { Headers } from '../core/headers.ts'
import type { Verdict } from '../core/verdict.ts'
import { body } from './body.ts'
import type { BodyInput } from './body.ts'
import type { Built } from './policy-kind.ts'

/** Bytes one at a time, with nothing said of their number. */
class Drops extends StreamBody {
  readonly #bytes: Buffer
  readBytes = 0
  stopped: Fault | undefined

  constructor(bytes: Buffer) {
    super(undefined)
    this.#bytes = bytes
  }

  trailers(): Headers | undefined {
    return undefined
  }

  protected read(): Chunk | End {
    if (this.readBytes === this.#bytes.length) return END
    return this.#bytes.subarray(this.readBytes, ++this.readBytes)
  }

  protected stop(why: Fault): void {
    this.stopped = why
  }
}

const built = (input: BodyInput = {}): Built => body.build(body.options.parse({ decompress: true, ...input }), policyEnv())!

/** Every policy of a route's body in turn; the last verdict, or the first that refuses. */
function decide(x: Exchange, input: BodyInput = {}, mode: DecideMode = 'charge'): Verdict {
  let verdict: Verdict | undefined
  for (const policy of built(input).policies) {
    verdict = policy.decide!(x, mode) as Verdict
    if (verdict.refusal !== undefined) return verdict
  }
  return verdict!
}

function coded(coding: string, bytes: Buffer | StreamBody): Exchange {
  const content = Buffer.isBuffer(bytes) ? new BytesBody(bytes) : bytes
  return exchangeOf({ method: 'POST', body: content, headers: ['content-encoding', coding] })
}

const plain = Buffer.from('{"name":"chair","legs":4}'.repeat(1000))
const codings = {
  gzip: gzipSync,
  'x-gzip': gzipSync,
  GZIP: gzipSync,
  deflate: deflateSync,
  br: brotliCompressSync,
  zstd: zstdCompressSync,
}

for (const [coding, code] of Object.entries(codings)) {
  test(`a body in ${coding} is decoded, however it is cut`, async () => {
    for (const bytes of [code(plain), new Drops(code(plain))]) {
      const x = coded(coding, bytes)
      assert.equal(decide(x).code, 'decoded')
      assert.equal(x.headers.get('content-encoding'), undefined)
      assert.ok((await readAll(x.body, Infinity)).equals(plain))
    }
  })

  test(`a body in ${coding} that is broken or breaks off is malformed`, async () => {
    const whole = code(plain)
    const bent = Buffer.from(whole)
    bent.fill(0x55, 8, 24)
    for (const bytes of [bent, whole.subarray(0, whole.length - 1)]) {
      const source = new Drops(bytes)
      const x = coded(coding, source)
      decide(x)
      await assert.rejects(readAll(x.body, Infinity), (thrown: Fault) => thrown.code === 'malformed')
    }
  })

  test(`a bomb in ${coding} ends at the bound`, async () => {
    const source = new Drops(code(Buffer.alloc(64 * 1024 ** 2)))
    const x = coded(coding, source)
    decide(x, { max: '1mb' })
    await assert.rejects(readAll(x.body, Infinity), (thrown: Fault) => thrown.code === 'body-too-large')
    assert.equal(source.stopped?.code, 'body-too-large')
  })
}

test('the service is told of no coding that its body does not have', () => {
  for (const [coding, isTold] of [
    ['gzip', false],
    ['identity', true],
  ] as const) {
    const x = coded(coding, gzipSync(plain))
    const { policies, requestEdit } = built()
    for (const policy of policies) void policy.decide!(x, 'charge')
    const call = x.headers.derive()
    requestEdit!(call, x)
    assert.equal(call.has('content-encoding'), isTold)
  }
})

test('other codings, and several, are 415 with those that are known', () => {
  for (const coding of ['compress', 'gzip, br', 'gzip, gzip', 'aes128gcm', 'constructor', 'gzip\u00a0', 'identity\u00a0']) {
    const { refusal } = decide(coded(coding, plain))
    assert.equal(refusal?.name, 'unsupported-type')
    assert.deepEqual(refusal?.headers?.pairs, [['accept-encoding', 'gzip, deflate, br, zstd']])
  }
})

test('what is not coded, and what has no content, stays as it is', () => {
  const x = coded('identity', plain)
  const { body: before } = x
  assert.equal(decide(x).code, 'plain')
  assert.equal(x.body, before)
  assert.equal(decide(coded('gzip', Buffer.alloc(0))).code, 'plain')
})

test('peeking changes nothing', () => {
  const x = coded('gzip', gzipSync(plain))
  const { body: before } = x
  assert.equal(decide(x, {}, 'peek').code, 'decoded')
  assert.equal(x.body, before)
  assert.equal(x.headers.get('content-encoding'), 'gzip')
})

test('whoever leaves a body unread has opened no decoder, and stops its source', () => {
  const source = new Drops(gzipSync(plain))
  const x = coded('gzip', source)
  decide(x)
  x.body.cancel(new Fault('cancelled', 'refused by another policy'))
  assert.deepEqual([source.readBytes, source.stopped?.code], [0, 'cancelled'])
})

test('without a bound nothing is decoded', () => {
  assert.deepEqual(optionFaults(body.options, { decompress: true, max: 'unlimited' }), [
    'decompress: what is decoded needs a bound',
  ])
})
