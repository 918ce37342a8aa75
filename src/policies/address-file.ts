import { AddressSet } from '../lib/address.ts'
import type { AddressRanges } from '../lib/address.ts'
import type { Closable } from '../core/lasting.ts'
import type { Link } from '../core/link.ts'

/** Main reads and watches lists of addresses; workers ask for one by its path and are told when it changes. */
export const addressFileTopics = { ranges: 'addresses/ranges', changed: 'addresses/changed' } as const

/** What workers are told of a changed list. */
export interface ChangedAddressFile {
  readonly path: string
  readonly ranges: AddressRanges
}

/** A list of addresses in a file, as it stands there now. */
export class AddressFile implements Closable {
  /** Resolves when the list is known; rejects when it cannot be read. */
  readonly ready: Promise<void>
  readonly #stop: () => void
  #set = new AddressSet([])

  constructor(link: Link, path: string) {
    // A change before the answer is part of it.
    this.#stop = link.hear(addressFileTopics.changed, (message) => {
      const changed = message as ChangedAddressFile
      if (changed.path === path) this.#set = new AddressSet(changed.ranges)
    })
    this.ready = this.#read(link, path)
  }

  has(address: string): boolean {
    return this.#set.has(address)
  }

  close(): void {
    this.#stop()
  }

  async #read(link: Link, path: string): Promise<void> {
    this.#set = new AddressSet((await link.ask(addressFileTopics.ranges, path)) as AddressRanges)
  }
}
