import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { describe, it } from 'node:test'
import type { Answer } from '../../src/core/answer.ts'
import { ManualClock } from '../../src/core/manual-clock.ts'
import { Sweeper } from '../../src/core/sweeper.ts'
import { createHttp1Client } from '../../src/wire/http1/pool.ts'
import { createUndiciClient } from '../../src/wire/node/client-undici.ts'
import type { CreateClientWire } from '../support/client-wires.ts'
import { callOf, isFault, nextTurn, pulled, scene, until, wireOptions } from '../support/client-wires.ts'
import { exchangeOf } from '../support/exchange.ts'
import { hostilities } from '../support/hostilities.ts'
import type { Hostility } from '../support/hostilities.ts'
import { okay, startRawService } from '../support/raw-service.ts'

/** What undici makes of the same answers where it is not what we make of them. */
const untilClose = (text: string): Partial<Hostility> => ({ text, body: 'service-timeout', afterMs: 10_100 })
const undiciDiffers: Record<string, Partial<Hostility>> = {
  'resets a body that lasts until the close': { text: 'hello' },
  'begins with an empty line': { text: 'good' },
  'has version 2.0': { text: '' },
  'has status 099': { head: 'service-reset' },
  'has status 600': { text: '' },
  'has a NUL in the reason': { text: '' },
  'has a reason without end': { head: 'service-timeout', afterMs: 5100 },
  'has gzip under chunked': { text: '' },
  'has a coding after chunked': untilClose('0\r\n\r\n'),
  'has the coding identity': untilClose('hello'),
  'has chunked twice': { text: '' },
  'has a misspelt coding': untilClose('0\r\n\r\n'),
  'has a quoted coding': untilClose('0\r\n\r\n'),
  'has chunks in HTTP/1.0': { text: '' },
  // The head is given at once, and the reader of the body hears of the rest.
  'has a chunk size that is none': { body: 'service-nonsense', text: '' },
  'has a chunk longer than its size': { body: 'service-nonsense', text: 'hell' },
  'has chunk lines that end with LF': { body: 'service-nonsense', text: '' },
}

const wires: [string, CreateClientWire, Record<string, Partial<Hostility>>][] = [
  ['our HTTP/1.1 client', createHttp1Client, {}],
  ['undici as a client wire', createUndiciClient, undiciDiffers],
]

for (const [name, create, differences] of wires) {
  describe(`${name}: a hostile service`, () => {
    for (const [what, strict] of Object.entries(hostilities)) {
      const { head: _head, body: _body, ...others } = strict
      const hostility: Hostility = what in differences ? { ...others, ...differences[what] } : strict
      it(`${what}: ${hostility.head ?? hostility.body ?? 'answered'}, and the next call is answered`, () =>
        scene(
          create,
          (socket, request) => {
            if (request.number === 0) hostility.does(socket)
            else socket.write(okay())
          },
          async ({ service, wire, clock }) => {
            const method = hostility.method ?? 'GET'
            const sent = wire.send(callOf({ method }), exchangeOf({ method }))
            const expectation = expectOf(sent, hostility)
            await service.received(1)
            if (hostility.body !== undefined) await sent
            if (hostility.later !== undefined) for (const socket of service.open) socket.write(hostility.later)
            if (hostility.afterMs !== undefined) {
              await nextTurn()
              clock.advance(hostility.afterMs)
            }
            await expectation
            const next = await wire.send(callOf(), exchangeOf())
            assert.equal(await pulled(next.body), 'good')
            if (create !== createHttp1Client) return
            assert.equal(service.requests[1].connection === 0, hostility.keeps === true, 'whether the connection was used again')
            assert.equal(wire.busy, 0)
            assert.equal(wire.open, 1)
          },
        ))
    }
  })
}

describe('a service that', () => {
  it('refuses connections: service-refused, unsent', async () => {
    const closed = await startRawService(() => {})
    await closed.close()
    const sweeper = new Sweeper(new ManualClock())
    const wire = createHttp1Client(wireOptions(closed.port, new ManualClock(), sweeper))
    await assert.rejects(wire.send(callOf(), exchangeOf()), isFault('service-refused', true))
    assert.deepEqual([wire.open, wire.busy, wire.queued], [0, 0, 0])
    wire.close()
    sweeper.close()
  })

  it('sends bytes on an idle connection: it is closed, and they are nobody’s answer', () => {
    const sockets: Socket[] = []
    return scene(
      createHttp1Client,
      (socket, request) => {
        sockets.push(socket)
        socket.write(okay(request.number === 0 ? 'one' : 'good'))
      },
      async ({ wire }) => {
        assert.equal(await pulled((await wire.send(callOf(), exchangeOf())).body), 'one')
        assert.equal(wire.open, 1)
        sockets[0].write(okay('stray'))
        await until(() => wire.open === 0)
        assert.equal(await pulled((await wire.send(callOf(), exchangeOf())).body), 'good')
      },
    )
  })
})

/** Checks the answer, or the Fault in its place. */
async function expectOf(sent: Promise<Answer>, hostility: Hostility): Promise<void> {
  if (hostility.head !== undefined) {
    await assert.rejects(sent, isFault(hostility.head, false))
    return
  }
  const answer = await sent
  if (hostility.body === undefined) {
    assert.equal(await pulled(answer.body), hostility.text)
    return
  }
  let text = ''
  const read = async (): Promise<void> => {
    for (let chunk = await answer.body.pull(); chunk !== null; chunk = await answer.body.pull()) text += chunk.toString('latin1')
  }
  await assert.rejects(read(), isFault(hostility.body))
  assert.equal(text, hostility.text)
  // However often it is asked, what broke off never becomes an end.
  await assert.rejects(async () => answer.body.pull(), isFault(hostility.body))
}
