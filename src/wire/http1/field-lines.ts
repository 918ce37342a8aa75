import { findHeaderId, nameFold, nameHashStep } from '../../core/header-names.ts'
import { marksPerLine } from '../../core/headers.ts'

/*
 * The one scanner of header and trailer lines, for requests and answers alike. A caller owns a FieldLines, calls
 * `begin` with the place where the lines start, then `scan` each time more bytes have come; a scan goes on at the
 * first line that was not complete before. All places are relative to `base`, the buffer offset of what will be byte 0
 * of the message's text, so bytes may move to another buffer between two scans. When it is over,
 *
 *   new Headers(bytes.toString('latin1', base, base + lines.at), lines.marks)
 *
 * is the message's list. What the scanner does not know is the size of a head: callers bound what they accumulate.
 */

/** What a scan found: more bytes are needed, the lines are complete, or (below 0) a reason in `fieldFaults`. */
export type FieldScan = number
/** No empty line yet: scan again with more bytes. */
export const fieldsMore = 0
/** The empty line was read; `at` stands behind it. */
export const fieldsDone = 1
const bareLineFeed = -1
const bareCarriageReturn = -2
const folded = -3
const badName = -4
const spaceBeforeColon = -5
const badValue = -6
/** More lines than allowed: for a request 431, not 400. */
export const fieldsTooMany = -7

/** Words for the refusing results of a scan, by their absolute value. For details of problems and for logs. */
export const fieldFaults: readonly string[] = [
  '',
  'a header line ends without a carriage return',
  'a carriage return stands without a line feed',
  'a header line begins with white space',
  'a header name is not a token',
  'white space stands before the colon of a header',
  'a header value holds a control character',
  'there are too many header lines',
]

const tab = 9
const lineFeed = 10
const carriageReturn = 13
const space = 32
const colon = 58

// RFC 9110 §5.5: visible ASCII, space, tab and obs-text. Every other byte ends a value; only CRLF may.
const valueByte = new Uint8Array(256)
for (let byte = 0; byte < 256; byte++) valueByte[byte] = byte === tab || (byte >= space && byte !== 127) ? 1 : 0

/**
 * Reads `name: value` lines up to the empty one into marks (see `Headers.marks`), stricter than RFC 9112 §5 asks:
 * CRLF only, no folding, nothing but a token before the colon, no control bytes. Never throws.
 */
export class FieldLines {
  /** Of the lines read so far. Belongs to the message: `begin` takes a new array. */
  marks: number[] = []
  /** Where the next line starts, relative to `base`; once done, the first byte behind the empty line. */
  at = 0
  readonly #maxLines: number

  constructor(maxLines: number) {
    this.#maxLines = maxLines
  }

  /** A new message whose first header line starts `at` bytes behind `base`. */
  begin(at: number): void {
    this.marks = []
    this.at = at
  }

  get lineCount(): number {
    return this.marks.length / marksPerLine
  }

  /** Reads on in `bytes` up to `end`. A result below 0 refuses the message; scanning again after it is meaningless. */
  scan(bytes: Uint8Array, base: number, end: number): FieldScan {
    const marks = this.marks
    let at = base + this.at
    while (at < end) {
      const nameStart = at
      let hash = 0
      for (let fold = nameFold[bytes[at]]; fold !== 0; fold = nameFold[bytes[at]]) {
        hash = nameHashStep(hash, fold)
        if (++at === end) return fieldsMore
      }
      const nameEnd = at
      if (bytes[at] !== colon || nameStart === nameEnd) {
        if (nameStart !== nameEnd || bytes[at] !== carriageReturn) return whyNotName(bytes[at], nameStart === nameEnd)
        if (++at === end) return fieldsMore
        if (bytes[at] !== lineFeed) return bareCarriageReturn
        this.at = at + 1 - base
        return fieldsDone
      }
      at++
      while (at < end && (bytes[at] === space || bytes[at] === tab)) at++
      const valueStart = at
      while (at < end && valueByte[bytes[at]] === 1) at++
      if (at === end) return fieldsMore
      if (bytes[at] !== carriageReturn) return bytes[at] === lineFeed ? bareLineFeed : badValue
      if (at + 1 === end) return fieldsMore
      if (bytes[at + 1] !== lineFeed) return bareCarriageReturn
      if (marks.length === this.#maxLines * marksPerLine) return fieldsTooMany
      let valueEnd = at
      while (valueEnd > valueStart && (bytes[valueEnd - 1] === space || bytes[valueEnd - 1] === tab)) valueEnd--
      const id = findHeaderId(bytes, nameStart, nameEnd, hash)
      marks.push(id, nameStart - base, nameEnd - base, valueStart - base, valueEnd - base)
      at += 2
      this.at = at - base
    }
    return fieldsMore
  }
}

/** The byte that is neither part of a name nor a colon (or is a colon without a name) says what the line is. */
function whyNotName(byte: number, first: boolean): FieldScan {
  if (byte === lineFeed) return bareLineFeed
  if (byte === carriageReturn) return badName
  if (byte === space || byte === tab) return first ? folded : spaceBeforeColon
  return badName
}
