import { randomFillSync } from 'node:crypto'

/** Bytes that are drawn at a time: one call of the generator serves some hundred ids. */
const poolBytes = 4096
const traceChars = 32
const spanChars = 16

/** Ids of W3C Trace Context in lower-case hex, random and never all zero. */
export interface TraceIds {
  trace(): string
  span(): string
}

/** Ids out of random bytes; `fill` writes them. */
export function createTraceIds(fill: (bytes: Uint8Array) => void = randomFillSync): TraceIds {
  const bytes = Buffer.alloc(poolBytes)
  let text = ''
  let at = 0
  const take = (chars: number): string => {
    for (;;) {
      if (at + chars > text.length) {
        fill(bytes)
        text = bytes.toString('hex')
        at = 0
      }
      const id = text.slice(at, (at += chars))
      if (!/^0+$/.test(id)) return id
    }
  }
  return { trace: () => take(traceChars), span: () => take(spanChars) }
}
