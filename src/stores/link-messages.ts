import { Fault } from '../core/fault.ts'
import type { FaultCode } from '../core/fault.ts'
import type { Stores } from '../core/stores.ts'
import type { RedisDirect } from './redis/redis-direct.ts'
import type { StoreCall } from './store-verbs.ts'

/** Topics between the main thread, which holds the store, and the workers, which use it. */
export const topics = {
  call: 'store.call',
  heard: 'store.heard',
  reload: 'store.reload',
  pulse: 'store.pulse',
  direct: 'store.direct',
} as const

/** What one worker called in one turn. */
export interface CallBatch {
  readonly calls: readonly StoreCall[]
}

/** The answer to one call: its value, or the fault. */
export type CallReply =
  | { readonly value: unknown; readonly fault: undefined }
  | { readonly fault: FaultCode; readonly message: string }

/** How main is, said several times a second, after everything that was heard before. */
export interface Pulse {
  readonly kind: Stores['kind']
  readonly isUp: boolean
  readonly caughtUpAt: number
}

/** How a worker may reach the store without main; undefined: it may not. */
export type Direct = RedisDirect | undefined

/** The value of a reply. Throws its fault. */
export function valueOf(reply: CallReply): unknown {
  if (reply.fault === undefined) return reply.value
  throw new Fault(reply.fault, reply.message)
}
