import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { promisify } from 'node:util'
import { brotliDecompress, createGunzip, gunzip, zstdDecompress } from 'node:zlib'
import { exchangeOf } from '../../test/support/exchange.ts'
import { optionFaults } from '../../test/support/option-faults.ts'
import { policyEnv } from '../../test/support/policy-env.ts'
import { Answer } from '../core/answer.ts'
import { BytesBody, END, readAll, StreamBody } from '../core/body.ts'
import type { Body, Chunk, End } from '../core/body.ts'
import { Fault } from '../core/fault.ts'
import type { MaybePromise } from '../core/handler.ts'
import { Headers } from '../core/headers.ts'
import { chooseCoding, contentCodings } from './accept-encoding.ts'
import { compress } from './compress.ts'
import type { CompressInput } from './compress.ts'

const decoders = { gzip: promisify(gunzip), br: promisify(brotliDecompress), zstd: promisify(zstdDecompress) }
const text = 'the same words again and again, '.repeat(200)

interface Case {
  readonly accept?: string
  readonly type?: string
  readonly answer?: readonly (readonly [string, string])[]
  readonly request?: readonly string[]
  readonly status?: number
  readonly method?: string
  readonly body?: Body
}

function answered(input: CompressInput, given: Case = {}): Answer {
  const built = compress.build(compress.options.parse(input), policyEnv())!
  const headers = Headers.from([['content-type', given.type ?? 'text/plain'], ...(given.answer ?? [])])
  const answer = new Answer(given.status ?? 200, headers, given.body ?? new BytesBody(Buffer.from(text)))
  const request = [...(given.accept === undefined ? [] : ['accept-encoding', given.accept]), ...(given.request ?? [])]
  built.policies[0].onHead!(exchangeOf({ headers: request, method: given.method ?? 'GET' }), answer)
  return answer
}

/** Pieces, each after a turn of the event loop when they are late. */
class Pieces extends StreamBody {
  readonly #pieces: Buffer[]
  readonly #isLate: boolean
  stopped: Fault | undefined

  constructor(pieces: readonly Buffer[], isLate: boolean) {
    super(undefined)
    this.#pieces = [...pieces]
    this.#isLate = isLate
  }

  trailers(): undefined {
    return undefined
  }

  protected read(): MaybePromise<Chunk | End> {
    const piece = this.#pieces.shift() ?? END
    return this.#isLate ? new Promise((resolve) => void setImmediate(() => resolve(piece))) : piece
  }

  protected stop(why: Fault): void {
    this.stopped = why
  }
}

describe('which coding is chosen', () => {
  const rows: [accept: string | undefined, coding: string | undefined][] = [
    [undefined, undefined],
    ['', undefined],
    ['gzip', 'gzip'],
    ['gzip, deflate, br, zstd', 'zstd'],
    ['gzip, br', 'br'],
    ['br;q=0.5, gzip', 'gzip'],
    ['br;q=0, gzip;q=0', undefined],
    ['*', 'zstd'],
    ['*;q=0', undefined],
    ['zstd;q=0, *', 'br'],
    ['*;q=0, *', undefined],
    ['gzip, gzip;q=0', undefined],
    ['X-GZIP', 'gzip'],
    ['gzip;q=0.5, identity', undefined],
    ['gzip;q=0.5, identity;q=0', 'gzip'],
    ['gzip;q=2', undefined],
    ['gzip;q=yes', undefined],
    ['deflate', undefined],
  ]
  for (const [accept, coding] of rows) {
    it(`${accept ?? 'nothing said'} → ${coding ?? 'none'}`, () => {
      assert.equal(chooseCoding(accept, contentCodings), coding)
    })
  }
})

describe('compression of answers', () => {
  for (const coding of contentCodings) {
    for (const [name, body] of [
      ['whole', (): Body => new BytesBody(Buffer.from(text))],
      ['long', (): Body => new BytesBody(Buffer.from(text.repeat(100)))],
      ['in pieces', (): Body => new Pieces([Buffer.from(text), Buffer.from(text)], false)],
      ['in late pieces', (): Body => new Pieces([Buffer.from(text), Buffer.from(text)], true)],
      ['in huge pieces that hardly shrink', (): Body => new Pieces([noise(2_000_000), noise(100_000)], false)],
    ] as const) {
      it(`${coding}, ${name}: comes out as it was`, async () => {
        const answer = answered(true, { accept: coding, body: body() })
        assert.equal(answer.headers.get('content-encoding'), coding)
        const packed = await readAll(answer.body, Infinity)
        assert.ok((await decoders[coding](packed)).equals(await readAll(body(), Infinity)))
      })
    }
  }

  it('says that the answer varies, weakens its tag and drops what speaks of other bytes', () => {
    const answer = answered(true, {
      accept: 'gzip',
      answer: [
        ['etag', '"v"'],
        ['accept-ranges', 'bytes'],
        ['vary', 'origin'],
      ],
    })
    assert.deepEqual(
      ['etag', 'vary', 'accept-ranges', 'content-length'].map((name) => answer.headers.get(name)),
      ['W/"v"', 'origin, accept-encoding', undefined, undefined],
    )
    assert.equal(answered(true).headers.get('vary'), 'accept-encoding')
    assert.equal(answered(true, { answer: [['vary', 'Accept-Encoding']] }).headers.get('vary'), 'Accept-Encoding')
  })

  const untouched: [why: string, given: Case][] = [
    ['what has a coding already', { answer: [['content-encoding', 'br']] }],
    ['what is compressed by nature', { type: 'image/png' }],
    ['what has no type', { type: '' }],
    ['short answers', { body: new BytesBody(Buffer.from('short')) }],
    ['parts', { status: 206 }],
    ['parts by field', { answer: [['content-range', 'bytes 0-1/2']] }],
    ['no-transform', { answer: [['cache-control', 'public, no-transform']] }],
    ['answers to HEAD', { method: 'HEAD' }],
    ['answers to requests with cookies', { request: ['cookie', 'a=b'] }],
    ['clients that do not ask', { accept: 'identity' }],
  ]
  for (const [why, given] of untouched) {
    it(`leaves alone: ${why}`, () => {
      const answer = answered(true, { accept: 'gzip', ...given, type: given.type === '' ? 'none' : (given.type ?? 'text/plain') })
      assert.notEqual(answer.headers.get('content-encoding'), 'gzip')
    })
  }

  it('compresses for cookies where that is said', () => {
    assert.equal(
      answered({ withCookies: true }, { accept: 'gzip', request: ['cookie', 'a=b'] }).headers.get('content-encoding'),
      'gzip',
    )
  })

  it('does not hold back the events of a stream', async () => {
    const events = [Buffer.from('data: one\n\n'), Buffer.from('data: two\n\n')]
    const answer = answered({ min: '1b' }, { accept: 'gzip', type: 'text/event-stream', body: new Pieces(events, true) })
    const unpacked = createGunzip()
    const seen: Buffer[] = []
    unpacked.on('data', (data: Buffer) => void seen.push(data))
    for (const event of events) {
      seen.length = 0
      // The first bytes of a coding may come by themselves.
      while (seen.length === 0) {
        const piece = (await answer.body.pull())!
        await new Promise<void>((resolve) => void unpacked.write(piece, () => resolve()))
        await new Promise((resolve) => void setImmediate(resolve))
      }
      assert.equal(String(Buffer.concat(seen)), String(event))
    }
    unpacked.destroy()
    answer.body.cancel(new Fault('client-left'))
  })

  it('tells its source when the reader leaves', async () => {
    const source = new Pieces([noise(1_000_000)], false)
    const answer = answered(true, { accept: 'gzip', body: source })
    await answer.body.pull()
    answer.body.cancel(new Fault('client-left'))
    assert.equal(source.stopped?.code, 'client-left')
    await assert.rejects(async () => answer.body.pull(), { code: 'client-left' })
  })

  it('breaks off with its source', async () => {
    class Broken extends Pieces {
      protected override read(): MaybePromise<Chunk | End> {
        throw new Fault('service-truncated')
      }
    }
    const answer = answered(true, { accept: 'br', body: new Broken([], false) })
    await assert.rejects(async () => answer.body.pull(), { code: 'service-truncated' })
    answer.body.cancel(new Fault('cancelled'))
  })

  it('is off when it is switched off, and says what is wrong with its options', () => {
    assert.equal(compress.build(compress.options.parse(false), policyEnv()), undefined)
    const wrong = { codings: ['deflate'], min: 'few', types: ['text'] }
    const faults = optionFaults(compress.options, wrong).map((fault) => fault.split(':')[0])
    for (const path of ['codings.0', 'min', 'types.0']) assert.ok(faults.includes(path), `${path} in ${faults.join()}`)
  })
})

function noise(length: number): Buffer {
  const bytes = Buffer.alloc(length)
  let state = 1
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff
    bytes[i] = state >> 16
  }
  return bytes
}
