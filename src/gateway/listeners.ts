import type { Exchange } from '../core/exchange.ts'
import { AddressSet } from '../lib/address.ts'
import type { Front, ListenerEnv } from './front.ts'
import { addressOf, Listener, replacedIdleMs } from './listener.ts'
import type { GenerationOrder } from './messages.ts'
import type { TlsMaterial } from '../wire/tls/tls-spec.ts'

/** A change of listeners that has been prepared: all that can fail has been done. */
export interface PreparedListeners {
  commit(): void
  discard(): void
}

/** The open ports of a worker, by address, over all Generations. */
export class Listeners {
  readonly #env: ListenerEnv
  readonly #open = new Map<string, Listener>()
  /** Ports that were taken out of the configuration and still have connections. */
  readonly #closing = new Set<Listener>()
  readonly #byName = new Map<string, Front>()
  /** The latest that main said; they may change while an order is being prepared. */
  #ticketKeys: Uint8Array | undefined
  /** Certificates that came while the first order was being prepared. */
  readonly #early = new Map<string, TlsMaterial>()

  constructor(env: ListenerEnv) {
    this.#env = env
  }

  /** Opens what is new and builds what is changed. Rejects, having undone everything, when something fails. */
  async prepare(order: GenerationOrder): Promise<PreparedListeners> {
    this.#ticketKeys = order.ticketKeys
    const opened: Listener[] = []
    const planned: { listener: Listener; front: Front }[] = []
    const discard = (): void => {
      for (const listener of opened) listener.close()
    }
    // Behind a proxy many clients share its address; the requests that it passes on are counted by theirs.
    const proxies = new AddressSet(order.model.trustedProxies)
    const isExempt = (address: string): boolean => proxies.has(address)
    // Who names his proxies means these and no others.
    const isProxy = order.model.trustedProxies.length === 0 ? () => true : isExempt
    try {
      for (const model of order.model.listeners) {
        let listener = this.#open.get(addressOf(model))
        if (listener === undefined) opened.push((listener = await Listener.open(model, this.#env)))
        const front = listener.prepare(model, order.tls.get(model.name), order.ticketKeys, isExempt, isProxy)
        planned.push({ listener, front })
      }
    } catch (thrown) {
      discard()
      throw thrown
    }
    return { commit: () => this.#commit(planned), discard }
  }

  /** New handshakes of a listener get these certificates; `false` when there is no such listener. Throws on bad ones. */
  updateCertificates(listener: string, material: TlsMaterial): boolean {
    if (this.#byName.size === 0) this.#early.set(listener, material)
    const terminator = this.#byName.get(listener)?.terminator
    terminator?.update(material)
    return terminator !== undefined
  }

  setTicketKeys(keys: Uint8Array): void {
    this.#ticketKeys = keys
    for (const front of this.#byName.values()) front.terminator?.setTicketKeys(keys)
  }

  /** See `Front.isMisdirected`. */
  isMisdirected(x: Exchange): boolean {
    return this.#byName.get(x.connection.listener)?.isMisdirected(x) ?? false
  }

  /** Accepts no more. */
  closePorts(): void {
    for (const listener of this.#open.values()) listener.closePort()
  }

  /** Stops accepting and tells every connection to end, idle ones after `idleMs`; resolves when none is left. */
  async drain(idleMs: number): Promise<void> {
    await Promise.all([...this.#open.values(), ...this.#closing].map((listener) => listener.drain(idleMs)))
  }

  close(): void {
    for (const listener of [...this.#open.values(), ...this.#closing]) listener.close()
    this.#open.clear()
  }

  #commit(planned: readonly { listener: Listener; front: Front }[]): void {
    const before = new Map(this.#open)
    this.#open.clear()
    this.#byName.clear()
    for (const { listener, front } of planned) {
      before.delete(listener.address)
      this.#open.set(listener.address, listener)
      this.#byName.set(front.model.name, front)
      listener.adopt(front)
    }
    if (this.#ticketKeys !== undefined) this.setTicketKeys(this.#ticketKeys)
    for (const [listener, material] of this.#early) this.updateCertificates(listener, material)
    this.#early.clear()
    for (const removed of before.values()) void this.#closeGently(removed)
  }

  async #closeGently(listener: Listener): Promise<void> {
    this.#closing.add(listener)
    await listener.drain(replacedIdleMs)
    this.#closing.delete(listener)
  }
}
