import { constants, createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib'
import { Slot } from '../core/exchange.ts'
import type { Exchange } from '../core/exchange.ts'
import { Fault } from '../core/fault.ts'
import { headerBlock } from '../core/headers.ts'
import type { DecideMode, Policy } from '../core/policy.ts'
import type { RequestEdit } from '../core/request-edits.ts'
import { pass, refuse } from '../core/verdict.ts'
import type { Verdict } from '../core/verdict.ts'
import { trimSpace } from '../lib/trim-space.ts'
import { CodedBody } from './coded-body.ts'
import type { Coder } from './coded-body.ts'
import { CountedBody } from './counted-body.ts'

/** What a decoder may look back on: the 8 MB that RFC 8878 asks of every decoder, and no client's choice. */
const zstd = { params: { [constants.ZSTD_d_windowLogMax]: 23 } }

const decoders: ReadonlyMap<string, () => Coder> = new Map<string, () => Coder>([
  ['gzip', () => createGunzip()],
  ['x-gzip', () => createGunzip()],
  ['deflate', () => createInflate()],
  ['br', () => createBrotliDecompress()],
  ['zstd', () => createZstdDecompress(zstd)],
])

const plain = pass('plain', () => 'The request body is in no content coding.')
const decoded = pass('decoded', () => 'The request body is decoded on its way.')

const isDecoded = new Slot<true>()

/** Decodes request bodies on their way, within a bound on what comes out (RFC 9110 §8.4, RFC 7694). */
export class BodyDecoding implements Policy {
  readonly name = 'body'
  readonly stage = 'shape'
  readonly source: string
  readonly #maxBytes: number
  readonly #otherCoding: Verdict

  constructor(source: string, maxBytes: number) {
    this.source = source
    this.#maxBytes = maxBytes
    this.#otherCoding = refuse(
      'other-coding',
      {
        name: 'unsupported-type',
        policy: 'body',
        detail: 'The content coding of the body is not known here.',
        headers: headerBlock([['accept-encoding', 'gzip, deflate, br, zstd']]),
      },
      undefined,
      () => 'The content coding is not one of gzip, deflate, br and zstd, or there are several.',
      `${source}.decompress`,
    )
  }

  /** Takes the coding out of what the service sees. */
  readonly requestEdit: RequestEdit = (headers, x) => {
    if (isDecoded.get(x) === true) headers.remove('content-encoding')
  }

  decide(x: Exchange, mode: DecideMode): Verdict {
    if (x.body.size === 0) return plain
    const field = x.headers.get('content-encoding')
    if (field === undefined) return plain
    const coding = trimSpace(field).toLowerCase()
    if (coding === '' || coding === 'identity') return plain
    const decoder = decoders.get(coding)
    if (decoder === undefined) return this.#otherCoding
    if (mode === 'peek') return decoded
    x.body = new CountedBody(new CodedBody(x.body, { open: decoder, failed: broken }), this.#maxBytes)
    // For whoever judges the body after this, and for the service.
    x.headers.remove('content-encoding')
    isDecoded.set(x, true)
    return decoded
  }
}

function broken(cause: Error): Fault {
  return new Fault('malformed', 'the content coding of the body is broken', { cause })
}
