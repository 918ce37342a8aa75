import { randomBytes } from 'node:crypto'
import { createServer } from 'node:net'
import type { Answer } from '../core/answer.ts'
import type { Clock } from '../core/clock.ts'
import type { Exchange } from '../core/exchange.ts'
import { faultFrom } from '../core/fault.ts'
import type { Handler } from '../core/handler.ts'
import { H } from '../core/header-names.ts'
import type { Log } from '../core/log.ts'
import type { Meter } from '../core/meter.ts'
import { problemOf, httpProblem } from '../core/problem.ts'
import { Sweeper } from '../core/sweeper.ts'
import { probePort } from '../gateway/ports.ts'
import { createRequestIds } from '../gateway/request-id.ts'
import { createHttp1Server } from '../wire/http1/http1-server.ts'
import type { Served, ServerLimits } from '../wire/server-wire.ts'
import { createTlsTerminator } from '../wire/tls/terminator.ts'
import type { TlsMaterial } from '../wire/tls/tls-spec.ts'

export interface HandlerServerOptions {
  /** Its name in messages and in `Connection.listener`. */
  readonly name: string
  readonly host: string
  /** 0: the machine chooses. */
  readonly port: number
  readonly handler: Handler
  readonly clock: Clock
  readonly log: Log
  /** Absent: it speaks plain HTTP. */
  readonly tls?: { readonly material: TlsMaterial; readonly meter: Meter } | undefined
}

/** A small server of main's, for operators and orchestrators. */
export interface HandlerServer {
  /** As this machine reaches it. */
  readonly url: string
  /** New handshakes get these certificates; nothing, where it speaks plain HTTP. Throws when one is unusable. */
  updateCertificates(material: TlsMaterial): void
  /** Closes the port and, after their answers, all connections; those that take longer than a second are cut. */
  close(): Promise<void>
}

const limits: ServerLimits = {
  maxHeadBytes: 16_384,
  maxHeaderCount: 64,
  maxTargetBytes: 4096,
  maxRequests: 1000,
  maxConnections: 100,
  headMs: 10_000,
  bodyMs: 10_000,
  minBodyRate: 100,
  idleMs: 60_000,
  writeMs: 30_000,
}
const closeMs = 1000

/** Opens the port. Rejects with an `EnvironmentFault` when it cannot be had. */
export async function openHandlerServer(options: HandlerServerOptions): Promise<HandlerServer> {
  const { name, host, clock } = options
  const port = await probePort(host, options.port, name)
  const sweeper = new Sweeper(clock)
  const wire = createHttp1Server({ listener: name, served: servedBy(options), limits, clock, sweeper })
  const terminator =
    options.tls === undefined
      ? undefined
      : createTlsTerminator({
          listener: name,
          material: options.tls.material,
          ticketKeys: randomBytes(48),
          protocols: ['http/1.1'],
          handshakeMs: limits.headMs,
          clock,
          sweeper,
          meter: options.tls.meter,
          secured: (socket, peer) => wire.accept(socket, peer),
        })
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => (terminator ?? wire).accept(socket))
  // Handshakes under way count too: the wire bounds only what is behind them.
  server.maxConnections = limits.maxConnections
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port }, resolve)
  })
  return {
    url: adminUrl(host, port, terminator !== undefined),
    updateCertificates: (material) => terminator?.update(material),
    async close() {
      terminator?.close()
      const closed = new Promise((resolve) => server.close(resolve))
      const timer = clock.after(closeMs, () => wire.close())
      await wire.drain()
      await closed
      timer.cancel()
      sweeper.close()
    },
  }
}

/** The URL by which this machine reaches a server that listens there. */
export function adminUrl(host: string, port: number, isSecure: boolean): string {
  const reached = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host
  return `${isSecure ? 'https' : 'http'}://${reached.includes(':') ? `[${reached}]` : reached}:${port}`
}

function servedBy({ handler, log }: HandlerServerOptions): Served {
  const nextId = createRequestIds()
  const failed = (x: Exchange, thrown: unknown): Answer => {
    const fault = faultFrom(thrown)
    log.error('a call of the admin surface failed', { error: thrown })
    return httpProblem(problemOf(fault), x.id)
  }
  return {
    async handle(x) {
      x.id = nextId()
      let answer: Answer
      try {
        answer = await handler(x)
      } catch (thrown) {
        answer = failed(x, thrown)
      }
      answer.headers.putLines(`X-Request-Id: ${x.id}\r\n`, H.requestId)
      return answer
    },
    done() {},
    refused: (fault) => httpProblem(problemOf(fault), ''),
  }
}
