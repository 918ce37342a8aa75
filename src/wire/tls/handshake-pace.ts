/*
 * A handshake costs as much as twenty requests. When many begin at once, those who wait for an answer would wait for all
 * of them; so only a few begin in each turn of the event loop, and what else has come is served in between.
 */
const perTurn = 2
const maxBegunKept = 256
let begun = 0
let isTurnAwaited = false
let waiting: (() => void)[] = []
let next = 0

function turnEnded(): void {
  isTurnAwaited = false
  begun = 0
  while (next < waiting.length && begun < perTurn) run(waiting[next++])
  // What has begun is let go of, also while more keeps coming.
  if (next === waiting.length || next >= maxBegunKept) {
    waiting = waiting.slice(next)
    next = 0
  }
}

function run(begin: () => void): void {
  begun++
  if (!isTurnAwaited) {
    isTurnAwaited = true
    setImmediate(turnEnded)
  }
  begin()
}

/** Calls `begin` now, or in a later turn of this thread's event loop when enough handshakes have begun in this one. */
export function paceHandshake(begin: () => void): void {
  if (begun < perTurn && next === waiting.length) run(begin)
  else waiting.push(begin)
}
