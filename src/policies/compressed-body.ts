import type { Transform } from 'node:stream'
import {
  brotliCompressSync,
  constants,
  createBrotliCompress,
  createGzip,
  createZstdCompress,
  gzipSync,
  zstdCompressSync,
} from 'node:zlib'
import type { Body, Chunk, End } from '../core/body.ts'
import { END, StreamBody } from '../core/body.ts'
import { Fault } from '../core/fault.ts'
import { isPromise } from '../core/handler.ts'
import type { Headers } from '../core/headers.ts'
import type { ContentCoding } from './accept-encoding.ts'

/** Compressors that work in steps and can be asked to give out what they hold. */
type Compressor = Transform & { flush(kind: number, done: () => void): void }

// Levels that cost about what they save on the wire; the highest ones are for files that are made once.
const brotliQuality = 4
const gzipLevel = 5
const zstdLevel = 3

const gzip = { level: gzipLevel }
const brotli = { params: { [constants.BROTLI_PARAM_QUALITY]: brotliQuality } }
const zstd = { params: { [constants.ZSTD_c_compressionLevel]: zstdLevel } }

function compressorOf(coding: ContentCoding): { readonly compressor: Compressor; readonly flush: number } {
  if (coding === 'gzip') return { compressor: createGzip(gzip), flush: constants.Z_SYNC_FLUSH }
  if (coding === 'br') return { compressor: createBrotliCompress(brotli), flush: constants.BROTLI_OPERATION_FLUSH }
  return { compressor: createZstdCompress(zstd), flush: constants.ZSTD_e_flush }
}

/** Bytes in a content coding, made at once: for short ones. */
export function compressed(bytes: Buffer, coding: ContentCoding): Buffer {
  if (coding === 'gzip') return gzipSync(bytes, gzip)
  return coding === 'br' ? brotliCompressSync(bytes, brotli) : zstdCompressSync(bytes, zstd)
}

/**
 * A body in a content coding, made as it is read. A piece that had to be waited for is given out at once, so that events
 * of a stream are not held back; pieces that come together are packed together.
 */
export class CompressedBody extends StreamBody {
  readonly #source: Body
  readonly #compressor: Compressor
  readonly #flush: number
  /** It still works on the piece it was given; or it has been given all. */
  #isBusy = false
  #failure: Fault | undefined
  #wake: (() => void) | undefined

  constructor(source: Body, coding: ContentCoding) {
    super(undefined)
    this.#source = source
    const { compressor, flush } = compressorOf(coding)
    this.#compressor = compressor
    this.#flush = flush
    compressor.on('readable', this.#moved)
    compressor.on('end', this.#moved)
    compressor.on('error', (error) => {
      this.#failure ??= new Fault('internal', 'an answer could not be compressed', { cause: error })
      this.#moved()
    })
  }

  trailers(): Headers | undefined {
    return this.#source.trailers()
  }

  protected async read(): Promise<Chunk | End> {
    const compressor = this.#compressor
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure
      const made = compressor.read() as Buffer | null
      if (made !== null) return made
      if (compressor.readableEnded) return END
      if (this.#isBusy) await new Promise<void>((resolve) => void (this.#wake = resolve))
      else await this.#feed()
    }
  }

  protected stop(why: Fault): void {
    this.#failure ??= why
    this.#source.cancel(why)
    this.#compressor.destroy()
    this.#moved()
  }

  readonly #moved = (): void => {
    const wake = this.#wake
    this.#wake = undefined
    wake?.()
  }

  /** Gives the compressor the next piece. It may not take it whole before some of what it made was read. */
  async #feed(): Promise<void> {
    const next = this.#source.pull()
    const isWaited = isPromise(next)
    const chunk = isWaited ? await next : next
    if (this.#failure !== undefined) return
    this.#isBusy = true
    if (chunk === END) {
      this.#compressor.end()
      return
    }
    const taken = (): void => {
      this.#isBusy = false
      this.#moved()
    }
    this.#compressor.write(chunk, () => {
      if (isWaited && !this.#compressor.destroyed) this.#compressor.flush(this.#flush, taken)
      else taken()
    })
  }
}
