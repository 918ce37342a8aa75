import { statSync, watch } from 'node:fs'
import type { FSWatcher } from 'node:fs'
import { dirname } from 'node:path'
import type { Clock, Timer } from '../core/clock.ts'
import type { Closable } from '../core/lasting.ts'

/** How often files are looked at, for file systems that say nothing of changes. */
const lookEveryMs = 1000
/** How long files must stay as they are before they are taken for finished: editors and deployments write in steps. */
const quietMs = 150

export interface WatchOptions {
  readonly clock: Clock
  /** The files to begin with, absolute. */
  readonly files: readonly string[]
  /**
   * Something changed and has come to rest. Resolves with the files to watch from then on; what changes meanwhile is
   * noticed afterwards. Never rejects.
   */
  readonly changed: () => Promise<readonly string[]>
}

/**
 * Watches a configuration and the files that it is made of, those that are missing too. It goes by what the files are, not
 * by events: replaced files, renamed folders and switched links are all seen, and a write that changes nothing is not.
 */
export class ConfigWatch implements Closable {
  readonly #options: WatchOptions
  readonly #folders = new Map<string, FSWatcher | undefined>()
  #files: readonly string[]
  /** As the files were when they were last loaded. */
  #loaded: string
  /** As they were at the last look, while they differ from that. */
  #seen = ''
  #timer: Timer | undefined
  #isBusy = false
  #isClosed = false

  constructor(options: WatchOptions) {
    this.#options = options
    this.#files = [...new Set(options.files)]
    this.#loaded = this.#print()
    this.#watchFolders()
    this.#lookIn(lookEveryMs)
  }

  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
    for (const watcher of this.#folders.values()) watcher?.close()
  }

  #lookIn(ms: number): void {
    this.#timer?.cancel()
    if (!this.#isClosed) this.#timer = this.#options.clock.after(ms, () => this.#look())
  }

  #look(): void {
    const now = this.#print()
    if (now === this.#loaded) {
      this.#seen = ''
      this.#lookIn(lookEveryMs)
    } else if (now === this.#seen) void this.#reload(now)
    else {
      this.#seen = now
      this.#lookIn(quietMs)
    }
  }

  async #reload(print: string): Promise<void> {
    this.#isBusy = true
    this.#loaded = print
    this.#seen = ''
    const before = this.#files
    const files = await this.#options.changed()
    this.#isBusy = false
    if (this.#isClosed) return
    this.#files = [...new Set(files)]
    if (this.#files.join('\n') !== before.join('\n')) {
      // Files that joined are as they were read; of those that were there, a change meanwhile must not be lost.
      const old = new Map(before.map((file, i) => [file, print.split('\n')[i]]))
      this.#loaded = this.#files.map((file) => old.get(file) ?? printOf(file)).join('\n')
      this.#watchFolders()
    }
    this.#lookIn(quietMs)
  }

  /** Events only make the next look come sooner. */
  #watchFolders(): void {
    const wanted = new Set(this.#files.map((file) => dirname(file)))
    for (const [folder, watcher] of this.#folders) {
      if (wanted.has(folder)) continue
      watcher?.close()
      this.#folders.delete(folder)
    }
    for (const folder of wanted) if (!this.#folders.has(folder)) this.#folders.set(folder, this.#watchFolder(folder))
  }

  #watchFolder(folder: string): FSWatcher | undefined {
    try {
      const watcher = watch(folder, { persistent: false }, () => {
        if (!this.#isBusy) this.#lookIn(quietMs)
      })
      watcher.on('error', () => watcher.close())
      return watcher
    } catch {
      // It is not there, or there are too many watches on this machine: looking has to do.
      return undefined
    }
  }

  #print(): string {
    return this.#files.map(printOf).join('\n')
  }
}

function printOf(file: string): string {
  const facts = statSync(file, { throwIfNoEntry: false, bigint: true })
  return facts === undefined ? '-' : `${facts.ino} ${facts.size} ${facts.mtimeNs}`
}
