import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Answer, textAnswer } from '../../src/core/answer.ts'
import { StreamBody } from '../../src/core/body.ts'
import type { Chunk, End } from '../../src/core/body.ts'
import type { Fault } from '../../src/core/fault.ts'
import type { MaybePromise } from '../../src/core/handler.ts'
import { Headers } from '../../src/core/headers.ts'
import { createHttp1Server } from '../../src/wire/http1/http1-server.ts'
import { until } from '../support/client-wires.ts'
import { RawClient, turns } from '../support/raw-client.ts'
import { Doors, serverScene } from '../support/server-wires.ts'

/** A body that gives its first piece and then what it is given. */
class Standing extends StreamBody {
  stopped: Fault | undefined
  #waiting: ((chunk: Chunk) => void) | undefined
  #isBegun = false

  constructor() {
    super(undefined)
  }

  give(text: string): void {
    this.#waiting!(Buffer.from(text))
  }

  trailers(): undefined {
    return undefined
  }

  protected read(): MaybePromise<Chunk | End> {
    if (this.#isBegun) return new Promise((resolve) => void (this.#waiting = resolve))
    this.#isBegun = true
    return Buffer.from('first')
  }

  protected stop(why: Fault): void {
    this.stopped = why
  }
}

const get = (target = '/'): string => `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`

describe('connections over our own wire alone', () => {
  test('an idle connection is closed without a word', () =>
    serverScene(createHttp1Server, async ({ port, clock, served, wire }) => {
      const fresh = await RawClient.to(port)
      const used = await RawClient.to(port)
      used.send(get())
      await used.answer()
      await until(() => wire.connections === 2)
      clock.advance(59_000)
      await turns(2)
      assert.ok(!fresh.hasEnded && !used.hasEnded)
      clock.advance(1100)
      await fresh.ended()
      await used.ended()
      assert.equal(fresh.received, '')
      assert.equal(served.faults.length, 0)
      // Neither client closes its own side: that is not waited for beyond a few seconds.
      await turns(2)
      clock.advance(5100)
      await until(() => wire.connections === 0)
    }))

  test('a head that does not come to its end in time is answered with 408', () =>
    serverScene(createHttp1Server, async ({ port, clock, served, wire }) => {
      const client = await RawClient.to(port)
      await until(() => wire.connections === 1)
      for (const byte of 'GET / HTTP/1.1\r\nX: ') {
        client.send(byte)
        await turns(2)
        clock.advance(500)
      }
      clock.advance(1000)
      assert.equal((await client.answer())!.status, 408)
      await client.ended()
      assert.equal(served.faults[0].code, 'head-timeout')
      client.close()
    }))

  test('an empty line behind a request begins none', () =>
    serverScene(createHttp1Server, async ({ port, clock, served }) => {
      const client = await RawClient.to(port)
      client.send(`${get()}\r\n`)
      assert.equal((await client.answer())!.status, 200)
      await turns(2)
      clock.advance(11_000)
      await client.ended()
      assert.equal(await client.answer(), undefined)
      assert.equal(served.faults.length, 0)
      client.close()
    }))

  test('a client that has ended its side still gets its answers, and is then closed', async () => {
    const doors = new Doors()
    await serverScene(
      createHttp1Server,
      async ({ port, wire }) => {
        const client = await RawClient.to(port)
        client.socket.end(get('/1') + get('/2'))
        await until(() => doors.came.length === 1)
        await turns(3)
        doors.open('/1')
        await until(() => doors.came.length === 2)
        doors.open('/2')
        assert.equal((await client.answer())!.content, '/1')
        assert.equal((await client.answer())!.content, '/2')
        await client.ended()
        await until(() => wire.connections === 0)
      },
      { handler: doors.handler },
    )
  })

  test('a client that has ended its side is probed while nothing is answered, and one that is gone is found out', async () => {
    const doors = new Doors()
    await serverScene(
      createHttp1Server,
      async ({ port, clock, served, wire }) => {
        const waiting = await RawClient.to(port)
        const gone = await RawClient.to(port)
        waiting.socket.end(get('/waiting'))
        gone.send(get('/gone'))
        await until(() => doors.came.length === 2)
        // Closes both sides, which looks like the other's half from here.
        gone.socket.destroy()
        await turns(5)
        assert.equal(wire.connections, 2)
        clock.advance(150)
        await until(() => waiting.received.includes('102'))
        await turns(5)
        clock.advance(150)
        await until(() => wire.connections === 1)
        doors.open('/gone')
        const left = served.seen.find(({ x }) => x.target === '/gone')!
        await until(() => left.outcome !== undefined)
        assert.equal(left.outcome!.end, 'client-left')
        doors.open('/waiting')
        assert.equal((await waiting.answer())!.status, 102)
        assert.equal((await waiting.answer())!.status, 102)
        assert.equal((await waiting.answer())!.content, '/waiting')
        await waiting.ended()
      },
      { handler: doors.handler },
    )
  })

  test('a client that has ended its side counts as gone once its answer stands still', async () => {
    const source = new Standing()
    await serverScene(
      createHttp1Server,
      async ({ port, clock, served, wire }) => {
        const client = await RawClient.to(port)
        client.socket.end(get())
        await until(() => client.received.includes('first'))
        source.give('second')
        await until(() => client.received.includes('second'))
        clock.advance(200)
        await turns(2)
        assert.equal(wire.connections, 1)
        for (let second = 0; second < 3; second++) {
          clock.advance(1100)
          await turns(2)
        }
        await until(() => served.seen[0].outcome !== undefined)
        assert.deepEqual([served.seen[0].outcome!.end, source.stopped?.code], ['client-left', 'client-left'])
      },
      { handler: () => new Answer(200, new Headers(), source) },
    )
  })

  test('a client that ends its side inside a head is told so', () =>
    serverScene(createHttp1Server, async ({ port }) => {
      const client = await RawClient.to(port)
      client.socket.end('GET / HT')
      assert.equal((await client.answer())!.status, 400)
      await client.ended()
    }))

  test('what was sent right behind an offer that is declined is not taken for requests', () =>
    serverScene(
      createHttp1Server,
      async ({ port, served }) => {
        for (const protocol of ['websocket', 'h2c', 'a, b']) {
          const offer = `GET /offer HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: ${protocol}\r\n\r\n`
          const ahead = await RawClient.to(port)
          ahead.send(offer + get('/smuggled'))
          assert.equal((await ahead.answer())!.status, 200)
          await ahead.ended()
          assert.equal(await ahead.answer(), undefined)
          ahead.close()
          // Behind the answer it is HTTP again.
          const patient = await RawClient.to(port)
          patient.send(offer)
          assert.equal((await patient.answer())!.status, 200)
          patient.send(get('/after'))
          assert.equal((await patient.answer())!.status, 200)
          patient.close()
        }
        assert.ok(served.seen.every(({ x }) => x.target !== '/smuggled'))
      },
      { handler: () => textAnswer(200, 'x') },
    ))

  test('reading stops when too much is sent ahead, and goes on later', async () => {
    const doors = new Doors()
    await serverScene(
      createHttp1Server,
      async ({ port }) => {
        const client = await RawClient.to(port)
        // More than the kernel's buffers of both sides hold.
        client.send(
          get('/0') + get('/x').repeat(4000) + `GET /y HTTP/1.1\r\nHost: a\r\nX: ${'z'.repeat(3000)}\r\n\r\n`.repeat(3000),
        )
        await until(() => doors.came.length === 1)
        await turns(100)
        assert.ok(client.socket.writableLength > 0, 'the client is held up')
        client.close()
      },
      { handler: doors.handler },
    )
  })

  test('thousands of requests in one packet neither overflow the stack nor get lost', () =>
    serverScene(
      createHttp1Server,
      async ({ port }) => {
        const client = await RawClient.to(port)
        client.send(get().repeat(20_000))
        for (let i = 0; i < 20_000; i++) assert.equal((await client.answer())!.status, 200)
        client.close()
      },
      { handler: () => textAnswer(200, 'x'), limits: { maxRequests: 100_000 } },
    ))
})
