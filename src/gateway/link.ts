import { Fault } from '../core/fault.ts'
import type { Hub, Link } from '../core/link.ts'
import type { ClonedError, Port, ToMain, ToWorker } from './messages.ts'

/** Questions of one worker that main has not answered yet; past it a worker is told `overloaded`. */
const maxPending = 10_000

/** Makes an error cloneable; the code of a Fault survives, so that `store-down` is still `store-down` over there. */
export function cloneError(thrown: unknown): ClonedError {
  if (thrown instanceof Fault) return { message: thrown.message, fault: thrown.code }
  return { message: thrown instanceof Error ? thrown.message : String(thrown), fault: undefined }
}

/** The error that `cloneError` was given, as far as it crossed. */
export function errorFrom(cloned: ClonedError): Error {
  return cloned.fault === undefined ? new Error(cloned.message) : new Fault(cloned.fault, cloned.message)
}

/** A worker's side of the conversation with main. */
export class WorkerLink implements Link {
  readonly #port: Port<ToMain>
  readonly #pending = new Map<number, { resolve: (value: unknown) => void; reject: (why: Error) => void }>()
  readonly #listeners = new Map<string, Set<(message: unknown) => void>>()
  #lastId = 0
  #isClosed = false

  constructor(port: Port<ToMain>) {
    this.#port = port
  }

  ask(topic: string, message: unknown): Promise<unknown> {
    if (this.#isClosed) return Promise.reject(new Fault('cancelled', 'the main thread is gone'))
    if (this.#pending.size >= maxPending) return Promise.reject(new Fault('overloaded', `too many open questions on ${topic}`))
    const id = ++this.#lastId
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject })
      try {
        this.#port.post({ kind: 'ask', id, topic, message })
      } catch (thrown) {
        this.#pending.delete(id)
        reject(thrown)
      }
    })
  }

  tell(topic: string, message: unknown): void {
    if (!this.#isClosed) this.#port.post({ kind: 'tell', topic, message })
  }

  hear(topic: string, listener: (message: unknown) => void): () => void {
    return addTo(this.#listeners, topic, listener)
  }

  /** Takes a message of main's; true when it was one of the link's. */
  receive(message: ToWorker): boolean {
    if (message.kind === 'answer') {
      const pending = this.#pending.get(message.id)
      this.#pending.delete(message.id)
      if (message.error === undefined) pending?.resolve(message.value)
      else pending?.reject(errorFrom(message.error))
      return true
    }
    if (message.kind !== 'told') return false
    const listeners = this.#listeners.get(message.topic)
    if (listeners !== undefined) for (const listener of listeners) listener(message.message)
    return true
  }

  /** Main is gone: nothing that was asked will be answered. */
  close(): void {
    this.#isClosed = true
    for (const { reject } of this.#pending.values()) reject(new Fault('cancelled', 'the main thread is gone'))
    this.#pending.clear()
  }
}

/** Main's side: one hub for all workers. */
export class MainHub implements Hub {
  readonly #ports = new Map<number, Port<ToWorker>>()
  readonly #handlers = new Map<string, (message: unknown) => unknown>()
  readonly #listeners = new Map<string, Set<(message: unknown, worker: number) => void>>()
  readonly #failed: (topic: string, thrown: unknown) => void

  /** `failed` hears of what a listener threw; nothing a worker says may end main. */
  constructor(failed: (topic: string, thrown: unknown) => void) {
    this.#failed = failed
  }

  answer(topic: string, handler: (message: unknown) => unknown): () => void {
    if (this.#handlers.has(topic)) throw new Error(`${topic} is answered already`)
    this.#handlers.set(topic, handler)
    return () => void this.#handlers.delete(topic)
  }

  hear(topic: string, listener: (message: unknown, worker: number) => void): () => void {
    return addTo(this.#listeners, topic, listener)
  }

  tellAll(topic: string, message: unknown): void {
    for (const port of this.#ports.values()) port.post({ kind: 'told', topic, message })
  }

  /** Puts a worker on the hub. */
  join(worker: number, port: Port<ToWorker>): void {
    this.#ports.set(worker, port)
  }

  /** Takes it off, unless a successor has its number already. */
  leave(worker: number, port: Port<ToWorker>): void {
    if (this.#ports.get(worker) === port) this.#ports.delete(worker)
  }

  /** Takes a message of a worker's; true when it was one of the hub's. */
  receive(message: ToMain, worker: number): boolean {
    if (message.kind === 'ask') {
      const port = this.#ports.get(worker)
      if (port !== undefined) void this.#reply(message.id, message.topic, message.message, port)
      return true
    }
    if (message.kind !== 'tell') return false
    const listeners = this.#listeners.get(message.topic)
    if (listeners === undefined) return true
    for (const listener of listeners) {
      try {
        listener(message.message, worker)
      } catch (thrown) {
        this.#failed(message.topic, thrown)
      }
    }
    return true
  }

  async #reply(id: number, topic: string, message: unknown, port: Port<ToWorker>): Promise<void> {
    try {
      const handler = this.#handlers.get(topic)
      if (handler === undefined) throw new Error(`nobody answers ${topic}`)
      port.post({ kind: 'answer', id, value: await handler(message), error: undefined })
    } catch (thrown) {
      port.post({ kind: 'answer', id, value: undefined, error: cloneError(thrown) })
    }
  }
}

function addTo<T>(sets: Map<string, Set<T>>, topic: string, listener: T): () => void {
  let set = sets.get(topic)
  if (set === undefined) sets.set(topic, (set = new Set()))
  set.add(listener)
  return () => void set.delete(listener)
}
