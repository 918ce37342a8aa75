import { watch } from 'node:fs'
import type { FSWatcher } from 'node:fs'
import { stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Clock, Timer } from './clock.ts'

export interface FileWatchOptions {
  readonly paths: readonly string[]
  readonly clock: Clock
  /** Something happened beside the files, and nothing more for a moment. */
  noticed(): void
  /** Time to look, where the system does not tell of changes; the next look is after this one. */
  look(): Promise<void>
  /** Default: 10 s. */
  readonly pollMs?: number | undefined
  /** Rest after a change, since what belongs together is seldom written in one moment. Default: 200 ms. */
  readonly settleMs?: number | undefined
}

/** Notices when files may have changed, until it is closed. */
export class FileWatch {
  readonly #options: FileWatchOptions
  readonly #watchers: FSWatcher[] = []
  #settling: Timer | undefined
  #polling: Timer | undefined
  #isClosed = false

  constructor(options: FileWatchOptions) {
    this.#options = options
    for (const folder of new Set(options.paths.map((path) => dirname(path)))) this.#watch(folder)
    this.#poll()
  }

  close(): void {
    this.#isClosed = true
    this.#settling?.cancel()
    this.#polling?.cancel()
    for (const watcher of this.#watchers) watcher.close()
  }

  /** Folders, not files: a renewal often replaces a file or a symbolic link, and a watched file would be the old one. */
  #watch(folder: string): void {
    try {
      const watcher = watch(folder, { persistent: false }, () => this.#happened())
      watcher.on('error', () => watcher.close())
      this.#watchers.push(watcher)
    } catch {
      // Looking sees the change later.
    }
  }

  #happened(): void {
    if (this.#isClosed) return
    this.#settling?.cancel()
    this.#settling = this.#options.clock.after(this.#options.settleMs ?? 200, () => this.#options.noticed())
  }

  #poll(): void {
    this.#polling = this.#options.clock.after(this.#options.pollMs ?? 10_000, () => {
      void this.#options.look().finally(() => {
        if (!this.#isClosed) this.#poll()
      })
    })
  }
}

/** What changes when one of the files is written or replaced, also through a symbolic link. */
export async function fileSignature(paths: readonly string[]): Promise<string> {
  const parts = await Promise.all(
    paths.map((path) =>
      stat(path, { bigint: true }).then(
        ({ mtimeNs, size, ino }) => `${mtimeNs}.${size}.${ino}`,
        () => 'absent',
      ),
    ),
  )
  return parts.join()
}
