import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import type { Clock } from '../../src/core/clock.ts'
import { systemClock } from '../../src/core/clock.ts'
import type { Body, Chunk, End } from '../../src/core/body.ts'
import { END, StreamBody, emptyBody } from '../../src/core/body.ts'
import { Fault } from '../../src/core/fault.ts'
import type { FaultCode } from '../../src/core/fault.ts'
import { Headers } from '../../src/core/headers.ts'
import { ManualClock } from '../../src/core/manual-clock.ts'
import type { Call } from '../../src/core/service.ts'
import { Sweeper } from '../../src/core/sweeper.ts'
import type { ClientWire, ClientWireOptions } from '../../src/wire/client-wire.ts'
import { startRawService } from './raw-service.ts'
import type { RawRequest, RawService } from './raw-service.ts'

export interface CallParts {
  readonly method?: string
  readonly target?: string
  readonly authority?: string
  readonly headers?: readonly string[]
  readonly body?: Body
  readonly upgrade?: string
  readonly headBy?: number
}

/** A Call with plain defaults. */
export function callOf(parts: CallParts = {}): Call {
  return {
    method: parts.method ?? 'GET',
    target: parts.target ?? '/',
    authority: parts.authority,
    headers: Headers.received(parts.headers ?? []),
    body: parts.body ?? emptyBody,
    upgrade: parts.upgrade,
    headBy: parts.headBy ?? Infinity,
  }
}

export type CreateClientWire = (options: ClientWireOptions) => ClientWire

export interface Scene {
  readonly service: RawService
  readonly wire: ClientWire
  /** The wire's time; it stands still until the test moves it. */
  readonly clock: ManualClock
}

/** A raw service, and a client wire to it, for the length of `play`. */
export async function scene(
  create: CreateClientWire,
  answer: (socket: Socket, request: RawRequest) => void,
  play: (scene: Scene) => Promise<void>,
  options: Partial<ClientWireOptions> = {},
): Promise<void> {
  const service = await startRawService(answer)
  const clock = new ManualClock()
  const sweeper = new Sweeper(clock)
  const wire = create({ ...wireOptions(service.port, clock, sweeper), ...options })
  try {
    await play({ service, wire, clock })
  } finally {
    wire.close()
    sweeper.close()
    await service.close()
  }
}

export function wireOptions(port: number, clock: Clock = systemClock, sweeper = new Sweeper(clock)): ClientWireOptions {
  return {
    host: '127.0.0.1',
    port,
    tls: undefined,
    maxConnections: 8,
    maxQueued: 8,
    connectTimeoutMs: 1000,
    headTimeoutMs: 5000,
    idleMs: 10_000,
    keepAliveMs: 4000,
    maxCalls: 1000,
    maxAgeMs: 600_000,
    maxHeadBytes: 16_384,
    maxHeaderCount: 64,
    clock,
    sweeper,
  }
}

/** For assert.rejects and assert.throws: a Fault of this code. */
export function isFault(code: FaultCode, unsent?: boolean): (thrown: unknown) => boolean {
  return (thrown) => {
    assert.ok(thrown instanceof Fault, `not a Fault: ${String(thrown)}`)
    assert.equal(thrown.code, code, `${thrown.code}: ${thrown.message}`)
    if (unsent !== undefined) assert.equal(thrown.unsent, unsent, 'unsent')
    return true
  }
}

/** Reads a body to its end through pulls alone, as a streaming reader does. */
export async function pulled(body: Body): Promise<string> {
  let text = ''
  for (;;) {
    const chunk = await body.pull()
    if (chunk === null) return text
    text += chunk.toString('latin1')
  }
}

/** A body that gives these pieces one after another, as if they were on their way. */
export function streamOf(pieces: readonly string[], size?: number, trailers?: Headers): Body {
  return new PieceBody(pieces, size, trailers)
}

class PieceBody extends StreamBody {
  readonly #pieces: string[]
  readonly #trailers: Headers | undefined

  constructor(pieces: readonly string[], size: number | undefined, trailers: Headers | undefined) {
    super(size)
    this.#pieces = [...pieces]
    this.#trailers = trailers
  }

  trailers(): Headers | undefined {
    return this.#pieces.length === 0 ? this.#trailers : undefined
  }

  protected async read(): Promise<Chunk | End> {
    const piece = this.#pieces.shift()
    return piece === undefined ? END : Buffer.from(piece, 'latin1')
  }

  protected stop(): void {
    this.#pieces.length = 0
  }
}

/** Resolves in the next turn of the event loop, after every promise of this one. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve))
}

/** Lets the event loop turn until `isSo`; fails after ten seconds, since what then has not come never will. */
export async function until(isSo: () => boolean): Promise<void> {
  const giveUpAt = performance.now() + 10_000
  while (!isSo()) {
    assert.ok(performance.now() < giveUpAt, `never came: ${isSo.toString()}`)
    await nextTurn()
  }
}
