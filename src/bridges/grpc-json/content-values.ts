import type { Body, End } from '../../core/body.ts'
import { END } from '../../core/body.ts'
import { Fault } from '../../core/fault.ts'
import type { MaybePromise } from '../../core/handler.ts'
import { isPromise } from '../../core/handler.ts'
import { tooLarge } from '../grpc/frames.ts'

/**
 * The JSON values of a request's content, cut out one by one as they arrive: lines (or values behind each other), or the
 * elements of one array, told by the first character. Values are cut, not judged: whoever parses them does that.
 */
export class ContentValues {
  readonly #body: Body
  readonly #maxBytes: number
  #bytes: Buffer = Buffer.alloc(0)
  /** Where the next value begins, and how far it has been looked at. */
  #start = 0
  #at = 0
  #depth = 0
  #inString = false
  #isEscaped = false
  #form: 'unknown' | 'values' | 'array' | 'array-over' = 'unknown'
  #isEnded = false
  /** In an array: a comma has come, so an element must follow. */
  #expectsElement = false

  constructor(body: Body, maxBytes: number) {
    this.#body = body
    this.#maxBytes = maxBytes
  }

  /** The text of the next value, or END. Throws `malformed`, `body-too-large`, and the body's own Faults. */
  pull(): MaybePromise<Buffer | End> {
    for (;;) {
      const value = this.#cut()
      if (value !== undefined) return value
      if (this.#isEnded) return this.#last()
      const next = this.#body.pull()
      if (isPromise(next)) {
        return next.then((chunk) => {
          this.#add(chunk)
          return this.pull()
        })
      }
      this.#add(next)
    }
  }

  cancel(why: Fault): void {
    this.#body.cancel(why)
  }

  #add(chunk: Buffer | End): void {
    if (chunk === END) {
      this.#isEnded = true
      return
    }
    const left = this.#bytes.subarray(this.#start)
    if (left.length > this.#maxBytes + slack) throw tooLarge(this.#maxBytes)
    this.#bytes = left.length === 0 ? chunk : Buffer.concat([left, chunk])
    this.#at -= this.#start
    this.#start = 0
  }

  /** The next whole value of what has arrived. */
  #cut(): Buffer | undefined {
    const bytes = this.#bytes
    for (; this.#at < bytes.length; this.#at++) {
      const code = bytes[this.#at]
      if (this.#inString) {
        if (this.#isEscaped) this.#isEscaped = false
        else if (code === 92) this.#isEscaped = true
        else if (code === 34) this.#inString = false
        continue
      }
      if (code === 34) this.#inString = true
      else if (code === 123 || code === 91) {
        if (this.#form === 'unknown' && this.#isBlankBefore()) {
          this.#form = code === 91 ? 'array' : 'values'
          if (code === 91) {
            this.#start = this.#at + 1
            continue
          }
        }
        this.#depth++
      } else if (code === 125 || code === 93) {
        if (this.#form === 'array' && this.#depth === 0 && code === 93) return this.#arrayEnd()
        this.#depth--
        if (this.#depth < 0) throw malformed('a bracket closes nothing')
        if (this.#depth === 0 && this.#form === 'values') return this.#value(this.#at + 1)
      } else if (this.#depth === 0) {
        if (this.#form === 'array' && code === 44) return this.#element()
        if (this.#form !== 'array' && code === 10 && !this.#isBlankBefore()) {
          if (this.#form === 'unknown') this.#form = 'values'
          return this.#value(this.#at)
        }
        if (this.#form === 'array-over' && code > 32) throw malformed('something follows the array')
      }
    }
    return undefined
  }

  #value(end: number): Buffer {
    const value = this.#bytes.subarray(this.#start, end)
    this.#start = end
    this.#at = end
    if (value.length > this.#maxBytes) throw tooLarge(this.#maxBytes)
    return value
  }

  #element(): Buffer {
    if (this.#isBlankBefore()) throw malformed('an element of the array is missing')
    const value = this.#value(this.#at)
    this.#start = ++this.#at
    this.#expectsElement = true
    return value
  }

  #arrayEnd(): Buffer | undefined {
    const isBlank = this.#isBlankBefore()
    if (isBlank && this.#expectsElement) throw malformed('an element of the array is missing')
    const value = isBlank ? undefined : this.#value(this.#at)
    this.#form = 'array-over'
    this.#start = ++this.#at
    return value ?? this.#cut()
  }

  /** What is left when no more will come. */
  #last(): Buffer | End {
    if (this.#form === 'array') throw malformed('the array does not end')
    if (this.#isBlankBefore() || this.#form === 'array-over') return END
    // A last line without its line feed; whether it is whole, its parser says.
    this.#at = this.#bytes.length
    return this.#value(this.#at)
  }

  #isBlankBefore(): boolean {
    for (let i = this.#start; i < this.#at; i++) if (this.#bytes[i] > 32) return false
    return true
  }
}

/** White space between values is let pass. */
const slack = 4096

function malformed(words: string): Fault {
  return new Fault('malformed', `the content is no stream of JSON: ${words}`)
}
