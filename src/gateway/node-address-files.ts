import { readFile, stat } from 'node:fs/promises'
import type { GatewayModel } from '../config/model.ts'
import type { Clock } from '../core/clock.ts'
import { fileSignature, FileWatch } from '../core/file-watch.ts'
import type { Closable } from '../core/lasting.ts'
import type { Hub } from '../core/link.ts'
import type { Log } from '../core/log.ts'
import { AddressSet, rangesOf } from '../lib/address.ts'
import type { AddressRanges } from '../lib/address.ts'
import { maxAddressListBytes, parseAddressList } from '../lib/address-list.ts'
import { addressFileTopics } from '../policies/address-file.ts'
import type { ChangedAddressFile } from '../policies/address-file.ts'
import type { AddressesOptions } from '../policies/addresses.ts'

/** The lists of addresses that a configuration names. */
export function addressFilesOf({ routes }: GatewayModel): string[] {
  return routes.flatMap(({ policies }) =>
    policies.flatMap(({ policy, options }) => {
      if (policy !== 'addresses') return []
      const { allowFiles = [], denyFiles = [] } = options as AddressesOptions
      return [...allowFiles, ...denyFiles]
    }),
  )
}

/**
 * Lists of addresses in files, read and watched once per node, by main; workers share what was read. A changed file that
 * is gone, too large or holds something else leaves the list as it was, and is warned of once.
 */
export class NodeAddressFiles implements Closable {
  readonly #hub: Hub
  readonly #clock: Clock
  readonly #log: Log
  readonly #files = new Map<string, OpenAddressFile>()
  readonly #unanswer: () => void

  constructor(hub: Hub, clock: Clock, log: Log) {
    this.#hub = hub
    this.#clock = clock
    this.#log = log
    this.#unanswer = hub.answer(addressFileTopics.ranges, (path) => this.#opened(String(path)).ranges)
  }

  /** These are in use; others are let go. */
  commit(paths: readonly string[]): void {
    for (const [path, file] of this.#files) {
      if (paths.includes(path)) continue
      file.close()
      this.#files.delete(path)
    }
  }

  close(): void {
    this.#unanswer()
    this.commit([])
  }

  #opened(path: string): OpenAddressFile {
    const known = this.#files.get(path)
    if (known !== undefined) return known
    const file = new OpenAddressFile(path, this.#clock, this.#log, (ranges) => {
      const message: ChangedAddressFile = { path, ranges }
      this.#hub.tellAll(addressFileTopics.changed, message)
    })
    this.#files.set(path, file)
    // Whoever asks again tries again.
    file.ranges.catch(() => {
      if (this.#files.get(path) === file) this.#files.delete(path)
      file.close()
    })
    return file
  }
}

class OpenAddressFile implements Closable {
  /** The list as it was read last. */
  ranges: Promise<AddressRanges>
  readonly #path: string
  readonly #log: Log
  readonly #changed: (ranges: AddressRanges) => void
  readonly #watch: FileWatch
  #signature = ''
  #reading: Promise<void> = Promise.resolve()
  #warned: string | undefined

  constructor(path: string, clock: Clock, log: Log, changed: (ranges: AddressRanges) => void) {
    this.#path = path
    this.#log = log
    this.#changed = changed
    this.ranges = this.#read()
    this.#watch = new FileWatch({ paths: [path], clock, noticed: () => void this.#look(), look: () => this.#look() })
  }

  close(): void {
    this.#watch.close()
  }

  /** One reading at a time; a change during it is seen by the one that follows. */
  #look(): Promise<void> {
    this.#reading = this.#reading.then(() => this.#lookNow())
    return this.#reading
  }

  async #lookNow(): Promise<void> {
    if ((await fileSignature([this.#path])) === this.#signature) return
    try {
      const ranges = await this.#read()
      this.ranges = Promise.resolve(ranges)
      this.#warned = undefined
      this.#log.info('a list of addresses was read again', { file: this.#path, ranges: new AddressSet(ranges).size })
      this.#changed(ranges)
    } catch (thrown) {
      const reason = thrown instanceof Error ? thrown.message : String(thrown)
      if (reason === this.#warned) return
      this.#warned = reason
      this.#log.warn('a changed list of addresses is not usable; the earlier one stays', { file: this.#path, reason })
    }
  }

  async #read(): Promise<AddressRanges> {
    const signature = await fileSignature([this.#path])
    const { size } = await stat(this.#path)
    if (size > maxAddressListBytes) throw new Error('the file is larger than 16mb')
    const { cidrs, faults } = parseAddressList(await readFile(this.#path, 'utf8'))
    if (faults.length > 0) throw new Error(`line ${faults[0].line}: ${faults[0].message}`)
    this.#signature = signature
    return rangesOf(cidrs)
  }
}
