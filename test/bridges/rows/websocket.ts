import assert from 'node:assert/strict'
import { once } from 'node:events'
import { WebSocket } from 'ws'
import { ask, noteText } from '../../support/flow-service.ts'
import { singleAnswer } from './grpc.ts'
import type { Row, RowEnv } from './row.ts'
import { CallEnded, brokenOr, openedBy, shortMs } from './row.ts'

/** WebSocket, spoken by the client of `ws`. */
export function websocketRow({ url }: RowEnv, isBinary: boolean): Row {
  return {
    name: `WebSocket, ${isBinary ? 'proto' : 'JSON'}`,
    absent: singleAnswer,
    open({ kind, asks, isComplete, isShort }) {
      const protocol = isBinary ? 'velum.grpc.proto.v1' : 'velum.grpc.json.v1'
      const headers: Record<string, string> = isShort ? { 'grpc-timeout': `${shortMs}m` } : {}
      const socket = new WebSocket(`${url.replace('http', 'ws')}/flow.v1.Flow/${kind}`, protocol, { headers })
      const frames: (string | Buffer)[] = []
      socket.on('message', (data: Buffer, isBytes) => {
        frames.push(isBytes ? data : data.toString())
        socket.pause()
      })
      socket.on('error', () => {})
      const closed = once(socket, 'close') as Promise<[number]>
      socket.on('open', () => {
        for (const { how, text } of asks) socket.send(isBinary ? ask(how, text) : JSON.stringify({ how, text }))
        if (isComplete) socket.send('{"$end":true}')
      })
      async function* texts(): AsyncGenerator<string> {
        for (;;) {
          while (frames.length === 0) {
            if (socket.readyState === socket.CLOSED) throw new CallEnded('broken')
            socket.resume()
            await Promise.race([once(socket, 'message'), closed])
          }
          const frame = frames.shift()!
          if (typeof frame !== 'string') yield noteText(frame)
          else if (frame.startsWith('{"$status":')) {
            const { code } = (JSON.parse(frame) as { $status: { code: number } }).$status
            socket.resume()
            assert.equal((await closed)[0], code === 0 ? 1000 : 4000 + code)
            if (code === 0) return
            throw new CallEnded(code)
          } else yield (JSON.parse(frame) as { text: string }).text
        }
      }
      return openedBy(texts(), brokenOr, () => socket.terminate())
    },
  }
}
