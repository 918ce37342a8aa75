import type { Socket } from 'node:net'
import type { Connection } from '../../core/exchange.ts'
import type { Peer } from '../connection-facts.ts'
import { connectionFacts } from '../connection-facts.ts'
import type { NodeTurn } from './node-turn.ts'

/**
 * One connection of the adapter. node:http hands over every request as soon as it is parsed; here they wait, so that
 * exchanges follow one another, and none is made behind the last answer or behind a refusal.
 */
export class NodeConnection {
  readonly socket: Socket
  readonly facts: Connection
  requests = 0
  turn: NodeTurn | undefined = undefined
  /** What is under way is the last. */
  isClosing = false
  readonly #waiting: ((connection: NodeConnection) => void)[] = []

  constructor(socket: Socket, listener: string, peer?: Peer) {
    this.socket = socket
    this.facts = connectionFacts(socket, listener, peer)
  }

  /** Calls `begin` when everything before it is over; never when the connection closes before. */
  queue(begin: (connection: NodeConnection) => void): void {
    if (this.isClosing) return
    if (this.turn === undefined) begin(this)
    else this.#waiting.push(begin)
  }

  turnOver(isKept: boolean): void {
    this.turn = undefined
    if (!isKept) this.isClosing = true
    if (this.isClosing) this.socket.destroySoon()
    else this.#waiting.shift()?.(this)
  }
}
