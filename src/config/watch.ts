import type { Clock, Timer } from '../core/clock.ts'
import { fileSignature, FileWatch } from '../core/file-watch.ts'
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
 * by events: replaced files, renamed folders and switched links are all seen.
 */
export class ConfigWatch implements Closable {
  readonly #options: WatchOptions
  #files: readonly string[]
  #watch: FileWatch
  /** As the files were when they were last loaded, and at the last look while they differ from that. */
  #loaded: string
  #seen = ''
  #seenAt = 0
  #again: Timer | undefined
  #looking: Promise<void> = Promise.resolve()
  #isClosed = false

  private constructor(options: WatchOptions, files: readonly string[], loaded: string) {
    this.#options = options
    this.#files = files
    this.#loaded = loaded
    this.#watch = this.#begin()
  }

  /** Begins with the files as they are now. */
  static async open(options: WatchOptions): Promise<ConfigWatch> {
    const files = [...new Set(options.files)]
    return new ConfigWatch(options, files, await fileSignature(files))
  }

  /** Resolves when what was noticed until now has been looked at, and loaded if it had to be. */
  get looked(): Promise<void> {
    return this.#looking
  }

  close(): void {
    this.#isClosed = true
    this.#again?.cancel()
    this.#watch.close()
  }

  #begin(): FileWatch {
    return new FileWatch({
      paths: this.#files,
      clock: this.#options.clock,
      noticed: () => void this.#look(),
      look: () => this.#look(),
      pollMs: lookEveryMs,
      settleMs: quietMs,
    })
  }

  /** One look after the other. */
  #look(): Promise<void> {
    this.#looking = this.#looking.then(() => this.#compare())
    return this.#looking
  }

  async #compare(): Promise<void> {
    if (this.#isClosed) return
    const now = await fileSignature(this.#files)
    if (now === this.#loaded) this.#seen = ''
    else if (now !== this.#seen) {
      this.#seen = now
      this.#seenAt = this.#options.clock.monotonic()
      this.#lookSoon()
    } else if (this.#options.clock.monotonic() - this.#seenAt >= quietMs) await this.#reload(now)
  }

  async #reload(signature: string): Promise<void> {
    this.#loaded = signature
    this.#seen = ''
    const before = this.#files
    const files = [...new Set(await this.#options.changed())]
    if (this.#isClosed) return
    if (files.join('\n') !== before.join('\n')) {
      // Files that joined are as they were read; of those that were there, a change meanwhile must not be lost.
      const known = new Map(signature.split(',').map((part, i) => [before[i], part]))
      const fresh = (await fileSignature(files)).split(',')
      this.#loaded = files.map((file, i) => known.get(file) ?? fresh[i]).join()
      this.#files = files
      this.#watch.close()
      this.#watch = this.#begin()
    }
    this.#lookSoon()
  }

  #lookSoon(): void {
    this.#again?.cancel()
    if (!this.#isClosed) this.#again = this.#options.clock.after(quietMs, () => void this.#look())
  }
}
