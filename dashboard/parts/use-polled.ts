import { useCallback, useEffect, useRef, useState } from 'preact/hooks'
import { ApiError, get } from '../api.ts'

/** A document that is read again and again while the page is seen. */
export interface Polled<T> {
  readonly value: T | undefined
  /** What went wrong at the latest try. */
  readonly error: Error | undefined
  /** Reads it now. */
  readonly again: () => void
}

/** Reads `path` every `everyMs`; 0: once, and whenever asked. Hidden pages ask for nothing. */
export function usePolled<T>(path: string, everyMs: number): Polled<T> {
  const [state, setState] = useState<{ path: string; value: T | undefined; error: Error | undefined }>({
    path,
    value: undefined,
    error: undefined,
  })
  const wake = useRef<() => void>(() => {})
  useEffect(() => {
    const leaving = new AbortController()
    let timer = 0
    const read = async (): Promise<void> => {
      clearTimeout(timer)
      if (!document.hidden) {
        try {
          const value = await get<T>(path, leaving.signal)
          setState({ path, value, error: undefined })
        } catch (thrown) {
          if (leaving.signal.aborted) return
          const error = thrown instanceof ApiError ? thrown : new Error('The gateway does not answer.')
          setState((before) => ({ path, value: before.path === path ? before.value : undefined, error }))
        }
      }
      if (everyMs > 0 && !leaving.signal.aborted) timer = window.setTimeout(() => void read(), everyMs)
    }
    const seen = (): void => {
      if (!document.hidden) void read()
    }
    wake.current = () => void read()
    document.addEventListener('visibilitychange', seen)
    void read()
    return () => {
      leaving.abort()
      clearTimeout(timer)
      document.removeEventListener('visibilitychange', seen)
    }
  }, [path, everyMs])
  const again = useCallback(() => wake.current(), [])
  return { value: state.value, error: state.error, again }
}
