import type { Handler } from '../core/handler.ts'

/** One identity endpoint. All of them stand before routing; listed in `create-endpoints.ts`. */
export interface Endpoint {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  /** The whole path: `/auth/session`. `{id}` at its end matches one segment, see `lastSegment`. */
  readonly path: string
  /**
   * Whether a page of another site must not be able to cause it: true for everything that changes something and is
   * reached with cookies, or sets one. A request from elsewhere is 403 before the handler runs.
   */
  readonly isSameSiteOnly: boolean
  readonly handle: Handler
}
