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
  #bytes: Buffer = noBytes
  /** Where `#bytes` is a copy: its memory, which has room for more, and how much of it is taken. */
  #memory: Buffer = noBytes
  #taken = 0
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
    if (left.length > this.#maxBytes) throw tooLarge(this.#maxBytes)
    this.#bytes = left.length === 0 ? chunk : this.#joined(left, chunk)
    if (left.length === 0) this.#memory = noBytes
    this.#at -= this.#start
    this.#start = 0
  }

  /** A value may come byte by byte: its beginning is copied only when it has doubled. */
  #joined(left: Buffer, chunk: Buffer): Buffer {
    if (this.#memory === noBytes || chunk.length > this.#memory.length - this.#taken) {
      this.#memory = Buffer.allocUnsafeSlow(2 * (left.length + chunk.length))
      this.#memory.set(left)
      this.#taken = left.length
    }
    const start = this.#taken - left.length
    this.#memory.set(chunk, this.#taken)
    this.#taken += chunk.length
    return this.#memory.subarray(start, this.#taken)
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
      // White space before a value is none of it, and is looked at once.
      if (code <= 32 && this.#start === this.#at) {
        this.#start++
        continue
      }
      if (this.#form === 'array-over') throw malformed('something follows the array')
      if (code === 34) this.#inString = true
      else if (code === 123 || code === 91) {
        if (this.#form === 'unknown' && this.#start === this.#at) {
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
        if (this.#form !== 'array' && code === 10) {
          if (this.#form === 'unknown') this.#form = 'values'
          return this.#value(this.#at)
        }
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
    if (this.#start === this.#at) throw malformed('an element of the array is missing')
    const value = this.#value(this.#at)
    this.#start = ++this.#at
    this.#expectsElement = true
    return value
  }

  #arrayEnd(): Buffer | undefined {
    const isBlank = this.#start === this.#at
    if (isBlank && this.#expectsElement) throw malformed('an element of the array is missing')
    const value = isBlank ? undefined : this.#value(this.#at)
    this.#form = 'array-over'
    this.#start = ++this.#at
    return value ?? this.#cut()
  }

  /** What is left when no more will come. */
  #last(): Buffer | End {
    if (this.#form === 'array') throw malformed('the array does not end')
    if (this.#start === this.#at) return END
    // A last line without its line feed; whether it is whole, its parser says.
    this.#at = this.#bytes.length
    return this.#value(this.#at)
  }
}

const noBytes = Buffer.alloc(0)

function malformed(words: string): Fault {
  return new Fault('malformed', `the content is no stream of JSON: ${words}`)
}
