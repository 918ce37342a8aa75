import type { Server, Socket } from 'node:net'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { Answer } from '../../src/core/answer.ts'
import { jsonAnswer, textAnswer } from '../../src/core/answer.ts'
import type { Body } from '../../src/core/body.ts'
import { readAll } from '../../src/core/body.ts'
import type { Clock } from '../../src/core/clock.ts'
import type { Exchange } from '../../src/core/exchange.ts'
import type { Fault } from '../../src/core/fault.ts'
import { faultFrom } from '../../src/core/fault.ts'
import type { Handler } from '../../src/core/handler.ts'
import { ManualClock } from '../../src/core/manual-clock.ts'
import type { Outcome } from '../../src/core/policy.ts'
import { problemOf, renderHttpProblem } from '../../src/core/problem.ts'
import { Sweeper } from '../../src/core/sweeper.ts'
import { createHttp1Server } from '../../src/wire/http1/http1-server.ts'
import { createNodeServer } from '../../src/wire/node/node-server.ts'
import type { Served, ServerLimits, ServerWire, ServerWireOptions } from '../../src/wire/server-wire.ts'

export type CreateServerWire = (options: ServerWireOptions) => ServerWire

/** What a handler under test saw of an exchange, and how the exchange ended. */
export interface Seen {
  readonly x: Exchange
  /** The whole content, once it has been read. */
  content: string | undefined
  outcome: Outcome | undefined
}

/** Records what a server wire hands upwards; answers as `handler` does, by default with what it read. */
export class RecordingServed implements Served {
  readonly seen: Seen[] = []
  readonly faults: Fault[] = []
  readonly #handler: Handler

  constructor(handler?: Handler) {
    this.#handler = handler ?? ((x) => this.#echo(x))
  }

  handle(x: Exchange): Answer | Promise<Answer> {
    this.seen.push({ x, content: undefined, outcome: undefined })
    return this.#handler(x)
  }

  done(x: Exchange, outcome: Outcome): void {
    const seen = this.#of(x)
    if (seen.outcome !== undefined) throw new Error('done was said twice')
    seen.outcome = outcome
  }

  refused(fault: Fault): Answer {
    this.faults.push(fault)
    return renderHttpProblem(problemOf(fault), { id: '' } as Exchange)
  }

  #of(x: Exchange): Seen {
    const seen = this.seen.find((s) => s.x === x)
    if (seen === undefined) throw new Error('done was said of an exchange that was never handled')
    return seen
  }

  async #echo(x: Exchange): Promise<Answer> {
    try {
      const content = (await readAll(x.body, Infinity)).toString('latin1')
      this.#of(x).content = content
      return jsonAnswer(200, { method: x.method, target: x.target, authority: x.authority, content })
    } catch (thrown) {
      x.fault = faultFrom(thrown)
      return renderHttpProblem(problemOf(x.fault), x)
    }
  }
}

export const testLimits: ServerLimits = {
  maxHeadBytes: 4096,
  maxHeaderCount: 20,
  maxTargetBytes: 1024,
  maxRequests: 1000,
  maxConnections: 1000,
  headMs: 10_000,
  bodyMs: 20_000,
  minBodyRate: 100,
  idleMs: 60_000,
  writeMs: 30_000,
}

export interface ServerScene {
  readonly port: number
  readonly wire: ServerWire
  readonly served: RecordingServed
  readonly clock: ManualClock
}

export interface ServerSceneOptions {
  readonly handler?: Handler
  readonly limits?: Partial<ServerLimits>
  readonly clock?: Clock
}

/** A server wire on a free port of the loopback interface. */
export async function openServerScene(
  create: CreateServerWire,
  options: ServerSceneOptions = {},
): Promise<ServerScene & { close(): Promise<void> }> {
  const served = new RecordingServed(options.handler)
  const clock = new ManualClock()
  const sweeper = new Sweeper(options.clock ?? clock)
  const wire = create({
    listener: 'test',
    served,
    limits: { ...testLimits, ...options.limits },
    clock: options.clock ?? clock,
    sweeper,
  })
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket: Socket) => wire.accept(socket))
  return {
    port: await listen(server),
    wire,
    served,
    clock,
    async close() {
      wire.close()
      sweeper.close()
      server.close()
      await once(server, 'close')
    },
  }
}

/** The same for the length of `play`. */
export async function serverScene(
  create: CreateServerWire,
  play: (scene: ServerScene) => Promise<void>,
  options: ServerSceneOptions = {},
): Promise<void> {
  const scene = await openServerScene(create, options)
  try {
    await play(scene)
  } finally {
    await scene.close()
  }
}

export async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

/** Reads a body by pulls alone. */
export async function drained(body: Body): Promise<string> {
  let text = ''
  for (let chunk = await body.pull(); chunk !== null; chunk = await body.pull()) text += chunk.toString('latin1')
  return text
}

/** Both implementations, for suites that hold either to the same promises. */
export const serverWires: readonly (readonly [name: string, create: CreateServerWire])[] = [
  ['our own wire', createHttp1Server],
  ['node:http', createNodeServer],
]

/** Answers in an order of the test's choosing. */
export class Doors {
  readonly came: string[] = []
  readonly #open = new Map<string, (answer: Answer) => void>()

  readonly handler: Handler = (x) => {
    this.came.push(x.target)
    return new Promise((resolve) => void this.#open.set(x.target, resolve))
  }

  open(target: string): void {
    this.#open.get(target)!(textAnswer(200, target))
  }
}
