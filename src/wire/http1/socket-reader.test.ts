import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import { connect, createServer } from 'node:net'
import { Readable } from 'node:stream'
import { after, afterEach, before, beforeEach, describe, test } from 'node:test'
import { SocketReader, canShareReads } from './socket-reader.ts'

const server = createServer({ allowHalfOpen: true })
let client: Socket
let accepted: Socket

before(async () => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
})
beforeEach(async () => {
  const accepting = once(server, 'connection')
  client = connect((server.address() as AddressInfo).port, '127.0.0.1')
  client.setNoDelay(true)
  ;[accepted] = (await accepting) as [Socket]
})
afterEach(() => {
  client.destroy()
  accepted.destroy()
})
after(() => server.close())

test('this Node.js lets accepted sockets read into a shared buffer', () => assert.equal(canShareReads, true))

for (const [how, isShared] of [
  ['into the shared buffer', true],
  ["by 'data' events", false],
] as const) {
  describe(`reading ${how}`, () => {
    let got: string
    let isWilling: boolean
    let wake: () => void
    let reader: SocketReader

    beforeEach(() => {
      got = ''
      isWilling = true
      wake = () => {}
      const onBytes = (bytes: Buffer, end: number): boolean => {
        got += bytes.toString('latin1', 0, end)
        wake()
        return isWilling
      }
      reader = new SocketReader(accepted, onBytes, isShared)
    })
    const until = async (text: string): Promise<void> => {
      while (!got.includes(text)) {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    }

    test('stops when the connection is not willing, and goes on when told', async () => {
      isWilling = false
      client.write('one')
      await until('one')
      client.write('two')
      for (let i = 0; i < 5; i++) await new Promise((resolve) => void setImmediate(resolve))
      assert.equal(got, 'one')
      isWilling = true
      reader.resume()
      await until('two')
      client.destroy()
    })

    test('released, the socket is a stream like any other and nothing is lost', async () => {
      client.write('one')
      await until('one')
      const socket = reader.release()
      client.end('two')
      const rest: Buffer[] = []
      for await (const chunk of Readable.from(socket)) rest.push(chunk as Buffer)
      assert.equal(Buffer.concat(rest).toString(), 'two')
      assert.equal(got, 'one')
      socket.destroy()
    })

    test('the end of the client is heard of', async () => {
      client.end('last')
      await once(accepted, 'end')
      assert.equal(got, 'last')
      accepted.destroy()
    })
  })
}
