import { Answer } from '../../core/answer.ts'
import { BytesBody, emptyBody } from '../../core/body.ts'
import { Fault } from '../../core/fault.ts'
import type { Headers } from '../../core/headers.ts'
import { BodyDecoder } from './body-decoder.ts'
import { ClientBody, describedBody } from './client-body.ts'
import type { BodySource } from './client-body.ts'
import { ResponseHead } from './response-head.ts'
import { takeMemory } from './slabs.ts'

/** The connection, as the reader of its answers sees it. Each of these may be the last word before the next `begin`. */
export interface AnswerOwner extends BodySource {
  /** An interim answer other than 100 and 101. False when the call is over because of it. */
  informed(status: number, headers: Headers): boolean
  /** Whether a 408 should be taken for the end of an idle connection; the call is then being repeated elsewhere. */
  timedOutBefore(): boolean
  /** The head of the final answer, and its body: whole, or to be filled. */
  answered(answer: Answer): void
  /** The answer is complete; `hasMore`: bytes came behind it. Returns whether to read on. */
  completed(hasMore: boolean): boolean
  /** The protocol was switched; `rest` are its first bytes. */
  switched(status: number, headers: Headers, rest: Buffer): void
}

/** Interim answers to one call; more are an attempt to keep us busy. */
const maxInterims = 16
const maxTrailerBytes = 16384
const maxTrailerCount = 64
const noBytes = Buffer.alloc(0)

/**
 * Turns what is read from one connection into answers, one at a time. Reads share one buffer, so whatever outlives a
 * read is copied: once, and in one piece. Throws `service-nonsense` (from the head) or `malformed` (from the body).
 */
export class AnswerReader {
  readonly head: ResponseHead
  /** Whether a byte of the answer has come. */
  isBegun = false
  /** The body that is being filled. */
  body: ClientBody | undefined = undefined
  readonly #owner: AnswerOwner
  #method = ''
  #interims = 0
  #decoder: BodyDecoder | undefined = undefined
  /** The beginning of a head that did not come in one read: `#kept[0..#keptBytes)`. */
  #kept = noBytes
  #keptBytes = 0
  /** How far `#gather` came. */
  #gathered = 0

  constructor(owner: AnswerOwner, maxHeadBytes: number, maxHeaderCount: number) {
    this.#owner = owner
    this.head = new ResponseHead(maxHeadBytes, maxHeaderCount)
  }

  /** The next bytes answer a request of this method. */
  begin(method: string): void {
    this.#method = method
    this.isBegun = false
    this.#interims = 0
    this.#keptBytes = 0
    this.#decoder = undefined
    this.body = undefined
    this.head.begin()
  }

  /** Takes a read of `size` bytes. Returns whether to read on. */
  take(bytes: Buffer, size: number): boolean {
    this.isBegun = true
    return this.#decoder === undefined ? this.#takeHead(bytes, size) : this.#takeBody(bytes, 0, size)
  }

  /** The service has sent its last byte; true if that is the proper end of the answer. Its body is then ended. */
  finish(): boolean {
    if (this.#decoder === undefined || !this.#decoder.finish()) return false
    this.body?.end(undefined)
    return true
  }

  #takeHead(read: Buffer, size: number): boolean {
    let bytes = read
    let at = 0
    let end = size
    if (this.#keptBytes > 0) {
      this.#keep(read, 0, size)
      bytes = this.#kept
      end = this.#keptBytes
    }
    const { head } = this
    while (head.read(bytes, at, end, this.#method)) {
      at += head.size
      if (head.status >= 200 || head.status === 101) {
        this.#keptBytes = 0
        this.#kept = noBytes
        return this.#final(bytes, at, end)
      }
      if (++this.#interims > maxInterims) throw new Fault('service-nonsense', 'the service sends interim answers without end')
      if (head.status !== 100 && !this.#owner.informed(head.status, head.headers)) return false
      head.begin()
    }
    if (bytes === read || at > 0) {
      this.#keptBytes = 0
      this.#keep(bytes, at, end)
    }
    return true
  }

  /** Adds to what is kept of a head. */
  #keep(bytes: Buffer, start: number, end: number): void {
    const needed = this.#keptBytes + end - start
    if (needed > this.#kept.length || bytes === this.#kept) {
      const wider = Buffer.allocUnsafeSlow(Math.max(1024, needed * 2))
      this.#kept.copy(wider, 0, 0, this.#keptBytes)
      bytes.copy(wider, this.#keptBytes, start, end)
      this.#kept = wider
    } else {
      bytes.copy(this.#kept, this.#keptBytes, start, end)
    }
    this.#keptBytes = needed
  }

  #final(bytes: Buffer, at: number, end: number): boolean {
    const { status, headers, content, length } = this.head
    if (status === 101 || (this.#method === 'CONNECT' && status < 300)) {
      this.#owner.switched(status, headers, copyOf(bytes, at, end))
      return false
    }
    if (status === 408 && this.#owner.timedOutBefore()) return false
    if (content === 'none') {
      const body = this.#method === 'HEAD' || status === 304 ? describedBody(length) : emptyBody
      this.#owner.answered(new Answer(status, headers, body))
      return this.#owner.completed(end > at)
    }
    if (content === 'length' && end - at >= length!) {
      this.#owner.answered(new Answer(status, headers, new BytesBody(copyOf(bytes, at, at + length!))))
      return this.#owner.completed(end - at > length!)
    }
    const decoder = decoderOf(content, length)
    this.#decoder = decoder
    const first = this.#gather(bytes, at, end)
    if (decoder.done && decoder.trailers === undefined) {
      this.#owner.answered(new Answer(status, headers, first === undefined ? emptyBody : new BytesBody(first)))
      return this.#owner.completed(this.#gathered < end)
    }
    const body = new ClientBody(length, this.#owner)
    this.body = body
    const goesOn = first === undefined || body.offer(first)
    const answer = new Answer(status, headers, body)
    answer.isUntilClose = content === 'until-close'
    this.#owner.answered(answer)
    return decoder.done ? this.#bodyEnds(body, end) : goesOn
  }

  #takeBody(bytes: Buffer, at: number, end: number): boolean {
    const body = this.body!
    const chunk = this.#gather(bytes, at, end)
    const goesOn = chunk === undefined || body.offer(chunk)
    return this.#decoder!.done ? this.#bodyEnds(body, end) : goesOn
  }

  #bodyEnds(body: ClientBody, end: number): boolean {
    body.end(this.#decoder!.trailers)
    return this.#owner.completed(this.#gathered < end)
  }

  /** The payload in one read, as one piece of its own. */
  #gather(bytes: Buffer, from: number, end: number): Buffer | undefined {
    const decoder = this.#decoder!
    let piece: Buffer | undefined
    let used = 0
    let at = from
    while (at < end && !decoder.done) {
      at = decoder.step(bytes, at, end)
      const { payloadStart, payloadEnd } = decoder
      if (payloadStart === payloadEnd) continue
      piece ??= takeMemory(end - payloadStart)
      used += bytes.copy(piece, used, payloadStart, payloadEnd)
    }
    this.#gathered = at
    return piece === undefined || used === piece.length ? piece : piece.subarray(0, used)
  }
}

function decoderOf(content: 'length' | 'chunked' | 'until-close', length: number | undefined): BodyDecoder {
  if (content === 'length') return new BodyDecoder({ kind: 'length', length: length! })
  return new BodyDecoder(content === 'chunked' ? { kind: 'chunked', maxTrailerBytes, maxTrailerCount } : { kind: 'until-close' })
}

function copyOf(bytes: Buffer, start: number, end: number): Buffer {
  if (start === end) return noBytes
  const copy = Buffer.allocUnsafe(end - start)
  bytes.copy(copy, 0, start, end)
  return copy
}
