import type { Exchange } from './exchange.ts'
import type { Headers } from './headers.ts'

/**
 * A change to the headers that a service will see, compiled once per route. Applied to each Call after the gateway's
 * own fields were dropped and before they are set again, so that no edit can forge them.
 */
export type RequestEdit = (headers: Headers, x: Exchange) => void
