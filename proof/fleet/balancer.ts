import { setTimeout as sleep } from 'node:timers/promises'
import type { FleetNode } from './nodes.ts'
import type { Asking, Told } from './told.ts'

const lookEveryMs = 100

/**
 * What stands before a fleet: takes nodes in turn, asks each every 100 ms whether it is ready, and sends a request to
 * another node only when the connection was refused. Whatever else goes wrong is the client's to see.
 */
export class Balancer {
  readonly nodes: readonly FleetNode[]
  readonly #isUp: boolean[]
  #turn = 0
  #isOver = false
  readonly #looks: Promise<void>[]

  constructor(nodes: readonly FleetNode[]) {
    this.nodes = nodes
    this.#isUp = nodes.map(() => true)
    this.#looks = nodes.map((node) => this.#look(node))
  }

  /** The nodes that are ready, as far as is known. */
  get up(): readonly FleetNode[] {
    return this.nodes.filter(({ number }) => this.#isUp[number])
  }

  /** The next in turn. */
  next(): FleetNode {
    const { up } = this
    const among = up.length > 0 ? up : this.nodes
    return among[this.#turn++ % among.length]
  }

  async ask(path: string, asking?: Asking): Promise<Told> {
    for (let tries = 1; ; tries++) {
      const told = await this.next().ask(path, asking)
      if (!told.isRefused || tries > 2 * this.nodes.length) return told
    }
  }

  async close(): Promise<void> {
    this.#isOver = true
    await Promise.all(this.#looks)
  }

  async #look(node: FleetNode): Promise<void> {
    while (!this.#isOver) {
      this.#isUp[node.number] = await node.isReady()
      await sleep(lookEveryMs)
    }
  }
}
