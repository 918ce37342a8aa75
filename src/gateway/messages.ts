import type { MessagePort, Worker } from 'node:worker_threads'
import type { GatewayModel } from '../config/model.ts'
import type { PackedModel } from '../config/packed-model.ts'
import type { FaultCode } from '../core/fault.ts'
import type { LogFields } from '../core/log.ts'
import type { SharedMemory } from '../core/build-env.ts'
import type { ListDelta } from '../lib/list-delta.ts'
import type { TlsMaterial } from '../wire/tls/tls-spec.ts'
import type { LiveChallenge } from './acme/answer-challenges.ts'
import type { SeriesEntry } from './meter-row.ts'
import type { RouteRow } from './route-rows.ts'

/** Everything a worker needs to serve a configuration: ports are resolved, certificates are read. Plain data. */
export interface GenerationOrder {
  readonly model: GatewayModel
  /** By name of the listener, for those with TLS. */
  readonly tls: ReadonlyMap<string, TlsMaterial>
  /** The ticket keys of this moment; later ones are told on `tls/ticket-keys`. */
  readonly ticketKeys: Uint8Array
  /** The challenges of authorities that are under way; later ones are told on `tls/challenges`. Absent: none. */
  readonly challenges?: readonly LiveChallenge[] | undefined
}

/** An order as a worker gets it. */
export type PackedOrder = Omit<GenerationOrder, 'model'> & {
  readonly model: PackedModel
  /** The prepared order that the worker committed last, by whose model this one is told; undefined: by none. */
  readonly before: number | undefined
}

/**
 * Whether a worker describes the routes that it prepared, and how: undefined, not at all; 'whole'; or 'changes', by those of the
 * order before.
 */
export type Describe = 'whole' | 'changes' | undefined

/** A route table, told by the one before. */
export type RowsDelta = ListDelta<readonly RouteRow[]>

/** Topics on which main tells workers what changes without a new Generation. */
export const toldTopics = { ticketKeys: 'tls/ticket-keys', certificates: 'tls/certificates', challenges: 'tls/challenges' } as const

/** What a worker is born with. */
export interface WorkerBirth {
  readonly shared: SharedMemory
  /** This worker's number, from 0: its row in every shared table. */
  readonly worker: number
  /** How many numbers there are, and so rows in every shared table. */
  readonly workers: number
  /** How many workers share the node's listeners; bounds per listener are divided by it. */
  readonly sharers: number
  /** Whether several workers may listen on one port. */
  readonly reusePort: boolean
  readonly beatMs: number
}

/** An error between threads: its words, and the fault's code where it was one. Stacks stay where they are. */
export interface ClonedError {
  readonly message: string
  readonly fault: FaultCode | undefined
}

/** What main says to a worker. */
export type ToWorker =
  | { readonly kind: 'prepare'; readonly id: number; readonly order: PackedOrder; readonly describe: Describe }
  | { readonly kind: 'commit'; readonly id: number }
  | { readonly kind: 'discard'; readonly id: number }
  | { readonly kind: 'close-ports' }
  | { readonly kind: 'drain'; readonly idleMs: number }
  | { readonly kind: 'answer'; readonly id: number; readonly value: unknown; readonly error: ClonedError | undefined }
  | { readonly kind: 'told'; readonly topic: string; readonly message: unknown }
  | { readonly kind: 'mark'; readonly id: number }
  | { readonly kind: 'logged'; readonly buffer: ArrayBuffer }

/** What a worker says to main. */
export type ToMain =
  /** Some more of the route table, before `prepared`. */
  | { readonly kind: 'rows'; readonly id: number; readonly part: RowsDelta[number] }
  | { readonly kind: 'prepared'; readonly id: number }
  | { readonly kind: 'failed'; readonly id: number; readonly message: string }
  | { readonly kind: 'committed'; readonly id: number }
  | { readonly kind: 'ports-closed' }
  | { readonly kind: 'drained' }
  | { readonly kind: 'marked'; readonly id: number }
  | { readonly kind: 'faulty'; readonly message: string; readonly stack: string | undefined }
  | { readonly kind: 'ask'; readonly id: number; readonly topic: string; readonly message: unknown }
  | { readonly kind: 'tell'; readonly topic: string; readonly message: unknown }
  | { readonly kind: 'series'; readonly entries: readonly SeriesEntry[] }
  | {
      readonly kind: 'log'
      readonly level: 'debug' | 'info' | 'warn' | 'error'
      readonly message: string
      readonly fields: LogFields
    }
  | { readonly kind: 'lines'; readonly buffer: ArrayBuffer; readonly length: number }

/** One end of a worker's channel, for sending. */
export interface Port<Out> {
  /** What is in `transfer` is given away. Throws when the message cannot be cloned. */
  post(message: Out, transfer?: ArrayBuffer[]): void
}

/** The port of a thread's channel: `parentPort` or a Worker. */
export function portTo<Out>(channel: MessagePort | Worker): Port<Out> {
  return {
    post(message, transfer = []) {
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- threads have no origins
      channel.postMessage(message, transfer)
    },
  }
}
