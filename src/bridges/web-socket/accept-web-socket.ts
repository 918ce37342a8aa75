import type { Duplex } from 'node:stream'
import type { Socket } from 'node:net'
import { WebSocket } from 'ws'
import type { TunnelEnd, TunnelNotice } from '../../core/answer.ts'
import { Answer } from '../../core/answer.ts'
import { emptyBody } from '../../core/body.ts'
import type { Clock } from '../../core/clock.ts'
import { Headers } from '../../core/headers.ts'
import type { Call } from '../../core/service.ts'
import type { Sweeper } from '../../core/sweeper.ts'
import { acceptKey, protocolField } from './handshake.ts'
import { Heartbeat } from './heartbeat.ts'

/** How a WebSocket is accepted, and who gets it. */
export interface WebSocketSpec {
  /** The subprotocol chosen of those offered; undefined: none is named. */
  readonly protocol: string | undefined
  /** Largest message of the client; a larger one closes the connection with 1009. */
  readonly maxMessageBytes: number
  readonly clock: Clock
  readonly sweeper: Sweeper
  /**
   * Gets the open socket, before its first message. The exchange is over when the socket is closed. The `connection` beneath
   * is not to be written to, but may be corked while several messages are sent.
   */
  run(socket: WebSocket, connection: Duplex): void
  /** The socket must be closed (see `Answer.hangUp`). Absent: it is, with `closeCodeOf`. Never asked before `run`. */
  hangUp?(socket: WebSocket, why: TunnelNotice): void
}

/** The close code for a notice: 1001 when the node goes, else 4000 and the code of gRPC (DEADLINE_EXCEEDED, UNAUTHENTICATED). */
export function closeCodeOf(why: TunnelNotice): number {
  if (why === 'draining') return 1001
  return why === 'deadline' ? 4004 : 4016
}

/**
 * The 101 to a call that `isWebSocket` and has no `handshakeProblem`: its connection becomes a WebSocket of `ws`, server
 * side. Nothing is compressed, so limits are limits. Clients are pinged, and dropped when they do not answer; whoever
 * has the socket keeps to `bufferedAmount` when it writes, and may `pause` it.
 */
export function acceptWebSocket(call: Call, spec: WebSocketSpec): Answer {
  const headers = new Headers()
  headers.set('upgrade', 'websocket')
  headers.set('sec-websocket-accept', acceptKey(call))
  if (spec.protocol !== undefined) headers.set(protocolField, spec.protocol)
  let socket: WebSocket | undefined
  let told: TunnelNotice | undefined
  const hangUp = (): void => {
    if (socket === undefined || told === undefined) return
    if (spec.hangUp === undefined) socket.close(closeCodeOf(told))
    else spec.hangUp(socket, told)
  }
  const answer = new Answer(101, headers, emptyBody, (client, early) => {
    socket = createSocket()
    const over = opened(socket, client, early, spec)
    hangUp()
    return over
  })
  answer.hangUp = (why) => {
    if (told !== undefined) return
    told = why
    hangUp()
  }
  return answer
}

/** A client that does not answer a closing frame is cut off after this. */
const closeTimeout = 30_000
const settings = { autoPong: true, maxPendingAutoPongs: 60, closeTimeout, allowSynchronousEvents: true, skipUTF8Validation: false }
/** Pieces of one message, and pieces of it that wait: a hostile client could send them by the byte. */
const bounds = { maxFragments: 16_384, maxBufferedChunks: 65_536 }

/*
 * What the server of `ws` does once it has written its own 101. Here the wire writes the 101, so the steps behind it
 * are made by hand; they are not in the types of `ws`, and the tests of this file hold them.
 */
interface ServerSide {
  setSocket(socket: Duplex, head: Buffer, options: object): void
  emitClose(): void
}
const ServerSocket = WebSocket as unknown as new (address: null, protocols: undefined, options: object) => WebSocket

function createSocket(): WebSocket {
  return new ServerSocket(null, undefined, settings)
}

function opened(socket: WebSocket, client: Duplex, early: Buffer, spec: WebSocketSpec): Promise<TunnelEnd> {
  const { bytesRead: readBefore, bytesWritten: writtenBefore } = client as Socket
  return new Promise((resolve) => {
    const heartbeat = new Heartbeat(socket, spec.clock, spec.sweeper)
    socket.on('close', () => {
      heartbeat.close()
      const { bytesRead, bytesWritten } = client as Socket
      resolve({ sentBytes: bytesWritten - writtenBefore, receivedBytes: bytesRead - readBefore + early.length })
    })
    // A client that broke the protocol has been sent a close frame that says so; 'close' follows.
    socket.on('error', () => {})
    const side = socket as unknown as ServerSide
    side.setSocket(client, early, { ...settings, ...bounds, maxPayload: spec.maxMessageBytes })
    spec.run(socket, client)
    // It died before this and will not say so again.
    if (client.closed) side.emitClose()
  })
}
