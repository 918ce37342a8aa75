import {
  brotliCompressSync,
  constants,
  createBrotliCompress,
  createGzip,
  createZstdCompress,
  gzipSync,
  zstdCompressSync,
} from 'node:zlib'
import type { Body } from '../core/body.ts'
import { Fault } from '../core/fault.ts'
import type { ContentCoding } from './accept-encoding.ts'
import { CodedBody } from './coded-body.ts'
import type { Coding } from './coded-body.ts'

// Levels that cost about what they save on the wire; the highest ones are for files that are made once.
const brotliQuality = 4
const gzipLevel = 5
const zstdLevel = 3

const gzip = { level: gzipLevel }
const brotli = { params: { [constants.BROTLI_PARAM_QUALITY]: brotliQuality } }
const zstd = { params: { [constants.ZSTD_c_compressionLevel]: zstdLevel } }

const codings: Readonly<Record<ContentCoding, Pick<Coding, 'open' | 'flush'>>> = {
  gzip: { open: () => createGzip(gzip), flush: constants.Z_SYNC_FLUSH },
  br: { open: () => createBrotliCompress(brotli), flush: constants.BROTLI_OPERATION_FLUSH },
  zstd: { open: () => createZstdCompress(zstd), flush: constants.ZSTD_e_flush },
}

/** Bytes in a content coding, made at once: for short ones. */
export function compressed(bytes: Buffer, coding: ContentCoding): Buffer {
  if (coding === 'gzip') return gzipSync(bytes, gzip)
  return coding === 'br' ? brotliCompressSync(bytes, brotli) : zstdCompressSync(bytes, zstd)
}

/** A body in a content coding, made as it is read. */
export function compressedBody(source: Body, coding: ContentCoding): Body {
  return new CodedBody(source, {
    ...codings[coding],
    failed: (cause) => new Fault('internal', 'an answer could not be compressed', { cause }),
  })
}
