export interface SignalHandlers {
  /** Stop; `isInteractive` for Ctrl-C, where nobody waits for a load balancer to notice. */
  readonly stop: (isInteractive: boolean) => void
  /** Asked again while stopping: do not wait for connections any longer. */
  readonly cut: () => void
  readonly reload: () => void
}

/** npm passes a terminal's Ctrl-C on to a process that had it already: two within this time are one. */
const echoMs = 1000

/** Hears the signals of an operator until the process ends: an echo must not kill what has just stopped in good order. */
export function onSignals(handlers: SignalHandlers, now: () => number): void {
  let stoppedAt: number | undefined
  const stop = (signal: NodeJS.Signals): void => {
    if (stoppedAt === undefined) {
      stoppedAt = now()
      handlers.stop(signal === 'SIGINT')
    } else if (now() - stoppedAt > echoMs) handlers.cut()
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
  process.on('SIGHUP', () => handlers.reload())
}

/** Time enough for the echo of a Ctrl-C: one that came while the process ends would make its end look like a death. */
export function echoHeard(): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, 150))
}
