import type { ServerLimits } from '../server-wire.ts'

/*
 * What costs a server much and a client next to nothing: streams that are opened and reset (CVE-2023-44487), PING and
 * SETTINGS frames that must be answered (CVE-2019-9512, -9515), requests that are refused, and frames that carry
 * nothing (PRIORITY, WINDOW_UPDATE, empty DATA). Each is counted over windows of ten seconds. The bounds lie far above
 * what browsers and gRPC clients do, whose window probes are PINGs: they earn their pings by what is sent to them.
 */

export const floodWindowMs = 10_000
const maxResets = 200
const maxControls = 1000
const maxRefused = 100
/** Bytes received in a window that need no reason. */
const freeBytes = 1_048_576
/** Bytes on the wire for each byte of content and of heads (as HTTP/1.1 would write them); compressed heads take less. */
const maxBytesPerUseful = 4
/** Frames around a stream that is worth its while. */
const bytesPerStream = 512

export type FloodKind = 'reset' | 'control' | 'refused'

/** The counts of one connection. */
export class FloodGuard {
  #resets = 0
  #controls = 0
  #refused = 0
  #streams = 0
  #pieces = 0
  #usefulBytes = 0
  #receivedBefore = 0

  /** A stream came, with a head of so many bytes. */
  stream(headBytes: number): void {
    this.#streams++
    this.#usefulBytes += headBytes + bytesPerStream
  }

  /** A stream is over: content taken from the client, and given to it. */
  moved(receivedBytes: number, sentBytes: number): void {
    this.#usefulBytes += receivedBytes
    this.#pieces += 1 + (sentBytes >> 13)
  }

  /** One more of its kind; true when that is a flood. */
  isFlood(kind: FloodKind): boolean {
    if (kind === 'reset') return ++this.#resets > Math.max(maxResets, this.#streams >> 1)
    if (kind === 'control') return ++this.#controls > maxControls + 4 * this.#pieces
    return ++this.#refused > Math.max(maxRefused, this.#streams >> 1)
  }

  /**
   * The window is over; `bytesRead` from the connection in all, `pendingBytes` of content under way. True when what came
   * was mostly frames without use.
   */
  windowOver(bytesRead: number, pendingBytes: number): boolean {
    const received = bytesRead - this.#receivedBefore
    const useful = this.#usefulBytes + pendingBytes
    this.#receivedBefore = bytesRead
    this.#resets = this.#controls = this.#refused = this.#streams = this.#pieces = this.#usefulBytes = 0
    return received > freeBytes + maxBytesPerUseful * useful
  }
}

/** How node:http2 bounds a session before anything reaches us. */
export function sessionBounds(limits: ServerLimits): { maxHeaderListPairs: number; maxHeaderListSize: number } {
  return {
    // Above our own bounds, so that a head a little too large is answered with 431 and not by a reset. Crumbs of
    // cookies are several pairs and one line.
    maxHeaderListPairs: limits.maxHeaderCount + 64,
    maxHeaderListSize: limits.maxHeadBytes + 32 * (limits.maxHeaderCount + 64),
  }
}
