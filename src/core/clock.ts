/** Time as everything in Velum sees it: injected, so that tests move it by hand. */
export interface Clock {
  /** Milliseconds since 1970, for what is written down or sent (tokens, logs, `Date`). May jump. */
  now(): number
  /** Milliseconds with a fraction that never go back, for spans and deadlines. The same on all threads of a process. */
  monotonic(): number
  /** Calls `run` once, no earlier than `delayMs` from now; does not keep the process alive. */
  after(delayMs: number, run: () => void): Timer
}

/** A pending call made by `Clock.after`. */
export interface Timer {
  /** Forgets the call; harmless after it ran. */
  cancel(): void
}

// Taken once: the global is a getter, which costs a tenth of what reading the clock does.
const { performance } = globalThis

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delayMs, run) {
    const handle = setTimeout(run, delayMs)
    handle.unref()
    return { cancel: () => clearTimeout(handle) }
  },
}
