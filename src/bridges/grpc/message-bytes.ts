import { gunzip, gunzipSync } from 'node:zlib'
import type { Fault } from '../../core/fault.ts'
import type { MaybePromise } from '../../core/handler.ts'
import { tooLarge } from './frames.ts'

/** Above this a message is decompressed outside of the event loop. */
const inlineBytes = 8192

/** A message decompressed, at most `maxBytes` long. Throws (or rejects with) the Fault of a larger one, or `broken`. */
export function gunzipped(content: Buffer, maxBytes: number, broken: () => Fault): MaybePromise<Buffer> {
  const options = { maxOutputLength: Math.max(1, maxBytes) }
  const why = (error: NodeJS.ErrnoException): Fault => (error.code === 'ERR_BUFFER_TOO_LARGE' ? tooLarge(maxBytes) : broken())
  if (content.length <= inlineBytes) {
    try {
      return gunzipSync(content, options)
    } catch (error) {
      throw why(error as NodeJS.ErrnoException)
    }
  }
  return new Promise((resolve, reject) => {
    gunzip(content, options, (error, bytes) => {
      if (error === null) resolve(bytes)
      else reject(why(error))
    })
  })
}
