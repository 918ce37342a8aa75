import { trimSpace } from '../lib/trim-space.ts'

/** One media range of an `Accept`. */
export interface AcceptRange {
  /** In lower case, without parameters; may be `*` on either side. */
  readonly type: string
  /** Its weight; NaN where it cannot be read, which nothing is better than. */
  readonly quality: number
}

/** The ranges of an `Accept` in its order (RFC 9110 §12.5.1). */
export function acceptRanges(accept: string): AcceptRange[] {
  return accept.split(',').map((range) => {
    const [type, ...parameters] = range.split(';').map((part) => trimSpace(part).toLowerCase())
    const quality = parameters.find((parameter) => parameter.startsWith('q='))
    return { type, quality: quality === undefined ? 1 : Number(quality.slice(2)) }
  })
}
