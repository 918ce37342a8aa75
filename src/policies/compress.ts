import { z } from 'zod'
import type { Answer } from '../core/answer.ts'
import { BytesBody } from '../core/body.ts'
import type { Exchange } from '../core/exchange.ts'
import { H } from '../core/header-names.ts'
import { headerBlock } from '../core/headers.ts'
import type { Policy } from '../core/policy.ts'
import { chooseCoding, contentCodings } from './accept-encoding.ts'
import type { ContentCoding } from './accept-encoding.ts'
import { compressed, compressedBody } from './compressed-body.ts'
import { MediaTypes } from './media-types.ts'
import { mediaRangeOption, sizeOption } from './option-schemas.ts'
import { mergeByKey } from './policy-kind.ts'
import type { PolicyKind } from './policy-kind.ts'
import { addVary } from './vary.ts'

/** Which answers are compressed; `true` for all that are worth it. */
export type CompressInput =
  | boolean
  | {
      /** Content codings, the best first. Default: zstd, br, gzip. */
      readonly codings?: readonly ContentCoding[] | undefined
      /** The least length that is compressed. Default: 1kb. */
      readonly min?: string | undefined
      /** Media types that are compressed. Default: text, JSON, XML, JavaScript, SVG, WebAssembly. */
      readonly types?: readonly string[] | undefined
      /** Also answers to callers whom a browser's cookie identifies. Default: false. */
      readonly withCookies?: boolean | undefined
    }

export interface CompressOptions {
  readonly codings: readonly ContentCoding[]
  readonly minBytes: number
  readonly types: readonly string[]
  readonly withCookies: boolean
}

/** What shrinks: text and what is written like it. */
const usualTypes = [
  'text/*',
  'application/json',
  'application/*+json',
  'application/xml',
  'application/*+xml',
  'application/javascript',
  'application/x-ndjson',
  'application/wasm',
  'image/svg+xml',
]

const table = z.strictObject({
  codings: z
    .array(z.enum(contentCodings))
    .min(1)
    .readonly()
    .optional()
    .describe('Content codings, the best first. Default: zstd, br, gzip.'),
  min: sizeOption.optional().describe('The least length that is compressed; one that is not known counts as long. Default: 1kb.'),
  types: z
    .array(mediaRangeOption)
    .min(1)
    .readonly()
    .optional()
    .describe('Media types that are compressed. Default: text, JSON, XML, JavaScript, SVG, WebAssembly.'),
  withCookies: z
    .boolean()
    .optional()
    .describe(
      "Also compresses answers to requests with cookies. The length of such an answer can tell a page of another site what stands in it beside that page's own words (BREACH). Default: false.",
    ),
})

const options: z.ZodType<CompressOptions | 'off', CompressInput> = z
  .union([z.boolean(), table])
  .transform((input): CompressOptions | 'off' => {
    if (input === false) return 'off'
    const own = input === true ? {} : input
    return {
      codings: own.codings ?? contentCodings,
      minBytes: own.min ?? 1024,
      types: own.types ?? usualTypes,
      withCookies: own.withCookies ?? false,
    }
  })

/** Compresses answers for clients that take them so. */
export const compress: PolicyKind<CompressOptions | 'off', CompressInput> = {
  name: 'compress',
  stage: 'answer-head',
  doc: 'Compresses answers (zstd, br, gzip) for clients that accept it, as they pass and without holding back streams. Left alone: what is compressed already, short answers, parts, `no-transform`, and answers to requests with cookies unless `withCookies` says otherwise. It stands outside the cache, which keeps answers as they came.',
  options,
  merge: (defaults, own) => mergeByKey(defaults, own) as CompressInput,
  build(wanted, env) {
    return wanted === 'off' ? undefined : { policies: [new Compress(wanted, env.source)] }
  },
}

const varyEncoding = headerBlock([['vary', 'accept-encoding']])

/** Whole answers up to here are compressed at once; longer ones step by step, off the event loop. */
const atOnceBytes = 16 * 1024

class Compress implements Policy {
  readonly name = 'compress'
  readonly stage = 'answer-head'
  readonly source: string
  readonly #options: CompressOptions
  readonly #types: MediaTypes

  constructor(wanted: CompressOptions, source: string) {
    this.source = source
    this.#options = wanted
    this.#types = new MediaTypes(wanted.types)
  }

  onHead(x: Exchange, answer: Answer): void {
    const { headers, body, status } = answer
    if (answer.tunnel !== undefined || status < 200 || status === 204 || status === 206 || status === 304) return
    if (headers.first(H.contentEncoding) !== undefined || headers.has('content-range') || !this.#types.accept(headers)) return
    if (body.size !== undefined && body.size < this.#options.minBytes) return
    if (/(?:^|[\s,])no-transform(?:$|[\s,;])/i.test(headers.get('cache-control') ?? '')) return
    // From here on another request could be answered in another form.
    addVary(headers, 'accept-encoding', varyEncoding)
    if (x.method === 'HEAD') return
    if (!this.#options.withCookies && x.headers.first(H.cookie) !== undefined) return
    const coding = chooseCoding(x.headers.get('accept-encoding'), this.#options.codings)
    if (coding === undefined) return
    headers.set('content-encoding', coding)
    headers.remove('content-length')
    headers.remove('accept-ranges')
    headers.remove('content-digest')
    const etag = headers.get('etag')
    // The same content in other bytes (RFC 9110 §8.8.3.3).
    if (etag?.startsWith('"') === true) headers.set('etag', `W/${etag}`)
    const { bytes } = body
    answer.body =
      bytes !== undefined && bytes.length <= atOnceBytes ? new BytesBody(compressed(bytes, coding)) : compressedBody(body, coding)
  }
}
