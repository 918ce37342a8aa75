import type { Clock } from '../../core/clock.ts'

/**
 * What `next` comes to, or undefined when nothing has come for so long: then it may be waited for again. Nothing that
 * it comes to is lost, nor does a failure of it go unheard.
 */
export function orQuiet<T>(next: Promise<T>, clock: Clock, afterMs: number): Promise<T | undefined> {
  return new Promise((resolve) => {
    const timer = clock.after(afterMs, () => resolve(undefined))
    const arrived = (): void => {
      timer.cancel()
      resolve(next)
    }
    next.then(arrived, arrived)
  })
}
