import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { RawClient } from '../support/raw-client.ts'
import { serverScene, serverWires } from '../support/server-wires.ts'

const request = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`

for (const [name, create] of serverWires) {
  suite(`draining with patience, ${name}`, () => {
    test('a connection that only seemed idle is answered and closed behind its answer', () =>
      serverScene(create, async ({ port, wire, clock, served }) => {
        const client = await RawClient.to(port)
        client.send(request('/first'))
        assert.equal((await client.answer())?.status, 200)
        const drained = wire.drain(1000)
        clock.advance(900)
        client.send(request('/second'))
        const answer = await client.answer()
        assert.equal(answer?.status, 200)
        assert.equal(answer.fields.get('connection'), 'close')
        assert.equal(await client.answer(), undefined)
        client.socket.destroy()
        await drained
        assert.deepEqual(
          served.seen.map(({ x }) => x.target),
          ['/first', '/second'],
        )
      }))

    test('a connection that stays idle is closed when the time is over', () =>
      serverScene(create, async ({ port, wire, clock }) => {
        const client = await RawClient.to(port)
        client.send(request('/first'))
        await client.answer()
        const drained = wire.drain(1000)
        clock.advance(950)
        assert.equal(wire.connections, 1)
        // A deadline may be noticed up to one sweep late.
        clock.advance(150)
        assert.equal(await client.answer(), undefined)
        client.socket.destroy()
        await drained
        assert.equal(wire.connections, 0)
      }))
  })
}
