import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { ManualClock } from '../../src/core/manual-clock.ts'
import { Sweeper } from '../../src/core/sweeper.ts'
import type { ClientWire, ClientWireOptions } from '../../src/wire/client-wire.ts'
import { createHttp2Client } from '../../src/wire/http2/http2-client.ts'
import { wireOptions } from './client-wires.ts'
import { FrameSocket, flag, frame, frameType, preface } from './http2-frames.ts'

/** A service that speaks HTTP/2 frame by frame, and a client wire to it. */
export interface FrameScene {
  readonly wire: ClientWire
  readonly clock: ManualClock
  /** The connections that were accepted, in order. */
  readonly accepted: FrameSocket[]
  /** The stream of the next HEADERS on a connection, counted from 0 over all of it. */
  readonly request: (connection: FrameSocket, index: number) => Promise<number>
}

/** Settings that allow so many streams. */
export function maxStreamsSetting(count: number): Buffer {
  const payload = Buffer.alloc(6)
  payload.writeUInt16BE(3)
  payload.writeUInt32BE(count, 2)
  return payload
}

/** The block of `:status 200`, from HPACK's static table. */
export const status200 = Buffer.from([0x88])

export async function frameScene(
  play: (scene: FrameScene) => Promise<void>,
  options: Partial<ClientWireOptions> & { readonly settings?: Buffer } = {},
): Promise<void> {
  const accepted: FrameSocket[] = []
  const server = createServer((socket) => {
    const connection = new FrameSocket(socket, preface.length)
    accepted.push(connection)
    connection.send(frame(frameType.settings, 0, 0, options.settings), frame(frameType.settings, flag.ack, 0))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const clock = new ManualClock()
  const sweeper = new Sweeper(clock)
  const { settings: _, ...wired } = options
  const wire = createHttp2Client({ ...wireOptions((server.address() as AddressInfo).port, clock, sweeper), ...wired })
  try {
    await play({
      wire,
      clock,
      accepted,
      request: async (connection, index) => {
        const stream = 2 * index + 1
        await connection.frame(({ type, stream: on }) => type === frameType.headers && on === stream)
        return stream
      },
    })
  } finally {
    wire.close()
    sweeper.close()
    for (const connection of accepted) connection.close()
    server.close()
    await once(server, 'close')
  }
}
