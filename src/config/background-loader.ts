import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { Clock, Timer } from '../core/clock.ts'
import { inSlices } from '../core/in-slices.ts'
import type { Closable } from '../core/lasting.ts'
import type { LoadTask, LoadWord } from './load-messages.ts'
import type { LoadOptions, LoadResult } from './load.ts'
import type { GatewayModel } from './model.ts'
import { rememberPacked, unpacking } from './packed-model.ts'

/** What of `LoadOptions` can be said to another thread, and where output of the configuration goes. */
export interface BackgroundLoaderOptions extends Pick<LoadOptions, 'folder' | 'only' | 'env'> {
  readonly file?: string | undefined
  readonly print: (text: string) => void
  readonly clock: Clock
  /** How long the thread is kept after a load: the next one finds its modules read. Default: a minute. */
  readonly keepMs?: number
}

/** Loads one configuration again and again without keeping the thread that asks busy. */
export interface BackgroundLoader extends Closable {
  /** As `loadGateway` would. Rejects when the thread cannot do its work. One after the other. */
  load(): Promise<LoadResult>
}

// tsc rewrites imports, not URLs: sources run as .ts, the published package as .js.
const threadUrl = new URL(`./load-thread${extname(import.meta.filename)}`, import.meta.url)

/** Makes a loader; its thread starts with the first load. */
export function createBackgroundLoader(options: BackgroundLoaderOptions): BackgroundLoader {
  const { file, folder, only, env, print, clock, keepMs = 60_000 } = options
  let thread: Worker | undefined
  let idle: Timer | undefined
  let tail: Promise<unknown> = Promise.resolve()
  let isClosed = false
  /** What was loaded last; the thread tells the next one by what is another. */
  let before: GatewayModel | undefined

  const end = (): void => {
    idle?.cancel()
    void thread?.terminate()
    thread = undefined
  }
  const started = (): Worker => {
    const made = new Worker(threadUrl, { name: 'velum loader' })
    // An error of the thread ends it; `ask` hears of both.
    made.on('error', () => {})
    made.once('exit', () => {
      if (thread === made) thread = undefined
    })
    // Waiting for a next load keeps no process alive.
    made.unref()
    return made
  }
  const ask = (): Promise<Extract<LoadWord, { kind: 'loaded' }>> => {
    const asked = (thread ??= started())
    return new Promise((resolve, reject) => {
      const failed = (error: Error): void => settle(() => reject(error))
      const exited = (code: number): void => failed(new Error(`the thread that loads configurations ended with code ${code}`))
      const heard = (word: LoadWord): void => {
        if (word.kind === 'printed') print(word.text)
        else if (word.kind === 'failed') failed(new Error(word.message))
        else settle(() => resolve(word))
      }
      const settle = (done: () => void): void => {
        asked.off('message', heard).off('error', failed).off('exit', exited)
        asked.unref()
        done()
      }
      asked.on('message', heard).on('error', failed).on('exit', exited)
      asked.ref()
      const task: LoadTask = { file, folder, only, env: env === undefined ? undefined : { ...env }, before: before?.hash }
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port has no origin
      asked.postMessage(task)
    })
  }
  const load = async (): Promise<LoadResult> => {
    if (isClosed) throw new Error('the loader is closed')
    idle?.cancel()
    try {
      const { result, model: packed } = await ask()
      if (packed === undefined) return { ...result, model: undefined }
      const model = await inSlices(unpacking(packed, before), clock)
      // Workers that have nothing of it get the routes as they came.
      rememberPacked(model, packed)
      before = model
      return { ...result, model }
    } finally {
      if (!isClosed) idle = clock.after(keepMs, end)
    }
  }
  return {
    load() {
      const done = tail.then(load)
      tail = done.catch(() => undefined)
      return done
    },
    close() {
      isClosed = true
      end()
    },
  }
}
