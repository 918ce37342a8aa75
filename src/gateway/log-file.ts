import { closeSync, constants, fstatSync, openSync, write } from 'node:fs'
import type { Clock, Timer } from '../core/clock.ts'

/** Bytes waiting to be written; past it further ones are dropped. */
const maxQueuedBytes = 64 * 1024 * 1024
/** Most pieces written by one call. */
const maxPieces = 64
/** How long to wait before a full pipe is tried again. */
const retryMs = 2

export interface LogFileOptions {
  /** `stdout`, `stderr` or a path. */
  readonly file: string
  readonly clock: Clock
  /** So many lines are lost: the queue was full, or the file could not be written. */
  readonly dropped: (lines: number) => void
  /** The first failure in a row of failures. */
  readonly failed?: (why: NodeJS.ErrnoException) => void
}

interface Piece {
  readonly bytes: Uint8Array
  readonly settled: (() => void) | undefined
}

/**
 * Where lines are written: appended in order, one write at a time, by a thread of the pool. A reader that has stalled
 * or a full disk costs lines, which are counted, and never time of a thread that serves.
 */
export class LogFile {
  readonly file: string
  readonly #clock: Clock
  readonly #dropped: (lines: number) => void
  readonly #failed: ((why: NodeJS.ErrnoException) => void) | undefined
  #opened: Opened
  readonly #queue: Piece[] = []
  #queuedBytes = 0
  #isWriting = false
  #isFailing = false
  #isClosed = false
  #retry: Timer | undefined
  #retryNow: (() => void) | undefined
  /** Descriptors that a write under way may still use. */
  readonly #stale: Opened[] = []
  readonly #idle: (() => void)[] = []

  /** Throws when the file cannot be opened. */
  constructor(options: LogFileOptions) {
    this.file = options.file
    this.#clock = options.clock
    this.#dropped = options.dropped
    this.#failed = options.failed
    this.#opened = open(options.file)
  }

  /** Appends; `settled` is called once the bytes are written or given up. The bytes must not be changed any more. */
  write(bytes: Uint8Array, settled?: () => void): void {
    if (this.#isClosed || this.#queuedBytes + bytes.length > maxQueuedBytes) {
      this.#dropped(lineCount(bytes))
      settled?.()
      return
    }
    this.#queue.push({ bytes, settled })
    this.#queuedBytes += bytes.length
    if (!this.#isWriting) this.#next()
  }

  /**
   * Opens the path anew, for a file that was moved away; on `commit` what is not being written yet goes there. Throws, changing
   * nothing, when it cannot be opened.
   */
  reopening(): { commit(): void; discard(): void } {
    const next = open(this.file)
    return {
      commit: () => {
        const before = this.#opened
        this.#opened = next
        // A line that is being written is finished in the file where it was begun.
        if (this.#isWriting) this.#stale.push(before)
        else release(before)
      },
      discard: () => release(next),
    }
  }

  /** Resolves when everything that was appended is written or given up. */
  flushed(): Promise<void> {
    if (!this.#isWriting) return Promise.resolve()
    return new Promise((resolve) => void this.#idle.push(resolve))
  }

  /** Writes nothing more; what is queued is dropped. Wait for `flushed` first. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    for (const piece of this.#queue.splice(0)) this.#giveUp(piece)
    if (!this.#isWriting) return release(this.#opened)
    // Otherwise the end of the write under way releases it: its descriptor must not be closed under it.
    this.#retry?.cancel()
    this.#retryNow?.()
  }

  #next(): void {
    for (const opened of this.#stale.splice(0)) release(opened)
    if (this.#queue.length === 0) {
      this.#isWriting = false
      for (const resolve of this.#idle.splice(0)) resolve()
      if (this.#isClosed) release(this.#opened)
      return
    }
    this.#isWriting = true
    const pieces = this.#queue.splice(0, maxPieces)
    this.#put(this.#opened.fd, pieces, pieces.length === 1 ? pieces[0].bytes : Buffer.concat(pieces.map(({ bytes }) => bytes)))
  }

  #put(fd: number, pieces: readonly Piece[], bytes: Uint8Array): void {
    write(fd, bytes, 0, bytes.length, null, (error, written) => {
      if (error === null && written < bytes.length) return this.#put(fd, pieces, bytes.subarray(written))
      if (error === null) {
        this.#isFailing = false
        for (const { settled, bytes: whole } of pieces) {
          this.#queuedBytes -= whole.length
          settled?.()
        }
      } else if (error.code === 'EAGAIN' && !this.#isClosed) {
        return this.#putLater(fd, pieces, bytes)
      } else {
        for (const piece of pieces) this.#giveUp(piece)
        if (!this.#isFailing) this.#failed?.(error)
        this.#isFailing = true
      }
      return this.#next()
    })
  }

  #putLater(fd: number, pieces: readonly Piece[], bytes: Uint8Array): void {
    this.#retryNow = () => {
      this.#retryNow = undefined
      this.#put(fd, pieces, bytes)
    }
    this.#retry = this.#clock.after(retryMs, this.#retryNow)
  }

  #giveUp({ bytes, settled }: Piece): void {
    this.#queuedBytes -= bytes.length
    this.#dropped(lineCount(bytes))
    settled?.()
  }
}

interface Opened {
  readonly fd: number
  /** Whether it was opened here and so is closed here. */
  readonly isOurs: boolean
}

function open(file: string): Opened {
  if (file !== 'stdout' && file !== 'stderr') return { fd: openSync(file, 'a', 0o640), isOurs: true }
  const fd = file === 'stdout' ? 1 : 2
  // A write to a pipe that nobody reads would block a thread of the pool for ever, and the process's end with it. The
  // pipe is opened once more, non-blocking; to change the given descriptor would change it for whoever shares it.
  try {
    const stat = fstatSync(fd)
    if (stat.isFIFO() || stat.isCharacterDevice()) {
      return { fd: openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK), isOurs: true }
    }
  } catch {
    // No /proc, or not ours to open: the descriptor itself will do.
  }
  return { fd, isOurs: false }
}

function release(opened: Opened): void {
  if (opened.isOurs) closeSync(opened.fd)
}

function lineCount(bytes: Uint8Array): number {
  let lines = 0
  for (const byte of bytes) if (byte === 10) lines++
  return lines
}
