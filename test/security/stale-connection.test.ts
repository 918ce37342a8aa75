import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { describe, it } from 'node:test'
import type { Answer } from '../../src/core/answer.ts'
import { textBody } from '../../src/core/body.ts'
import { createHttp1Client } from '../../src/wire/http1/pool.ts'
import type { Scene } from '../support/client-wires.ts'
import { callOf, isFault, pulled, scene, streamOf } from '../support/client-wires.ts'
import { exchangeOf } from '../support/exchange.ts'
import { okay } from '../support/raw-service.ts'
import type { RawRequest } from '../support/raw-service.ts'

/** A service that keeps connections alive and closes each one just when it is used again. */
const fickle = (play: (scene: Scene) => Promise<void>): Promise<void> =>
  scene(
    createHttp1Client,
    (socket: Socket, request: RawRequest) => {
      if (request.onConnection === 0) socket.write(okay(`connection ${request.connection}`))
      else socket.destroy()
    },
    async (parts) => {
      await parts.wire.send(callOf(), exchangeOf())
      await play(parts)
    },
  )

describe('a connection that the service closes just when it is used again', () => {
  it('has its GET sent again, on a fresh connection', () =>
    fickle(async ({ wire, service }) => {
      const answer = await wire.send(callOf({ method: 'GET', target: '/again' }), exchangeOf())
      assert.equal(await pulled(answer.body), 'connection 1')
      assert.equal(service.requests.filter(({ head }) => head.startsWith('GET /again ')).length, 2)
    }))

  it('has its PUT sent again when the body is in hand', () =>
    fickle(async ({ wire, service }) => {
      await wire.send(callOf({ method: 'PUT', body: textBody('content') }), exchangeOf())
      assert.deepEqual(
        service.requests.slice(1).map(({ body }) => body),
        ['content', 'content'],
      )
    }))

  const once = {
    'a POST': { method: 'POST', body: textBody('content') },
    'a PATCH without content': { method: 'PATCH' },
    'a method nobody knows': { method: 'BREW' },
    'a PUT whose body was streamed': { method: 'PUT', body: streamOf(['con', 'tent']) },
  }
  for (const [what, parts] of Object.entries(once)) {
    it(`does not have ${what} sent again: service-reset`, () =>
      fickle(async ({ wire, service }) => {
        await assert.rejects(wire.send(callOf(parts), exchangeOf()), isFault('service-reset', false))
        assert.equal(service.requests.length, 2)
        const next = await wire.send(callOf(), exchangeOf())
        assert.equal(await pulled(next.body), 'connection 1')
      }))
  }

  it('costs an attempt, and is not replaced where the budget of retries has nothing left', () => {
    let budget = 1
    return scene(
      createHttp1Client,
      (socket, request) => {
        if (request.onConnection === 0) socket.write(okay())
        else socket.destroy()
      },
      async ({ wire, service }) => {
        await wire.send(callOf(), exchangeOf())
        const x = exchangeOf()
        assert.equal((await wire.send(callOf(), x)).status, 200)
        assert.deepEqual([service.requests.length, x.attempts, budget], [3, 1, 0])
        const other = exchangeOf()
        await assert.rejects(wire.send(callOf(), other), isFault('service-reset', false))
        assert.deepEqual([service.requests.length, other.attempts], [4, 0])
        // Nobody asks where the call may not be sent again anyway.
        budget = 1
        await wire.send(callOf(), exchangeOf())
        await assert.rejects(wire.send(callOf({ method: 'POST' }), exchangeOf()), isFault('service-reset', false))
        assert.equal(budget, 1)
      },
      { mayRepeat: () => budget-- > 0 },
    )
  })

  it('is not replaced twice', () =>
    scene(
      createHttp1Client,
      (socket, request) => {
        if (request.number === 0) socket.write(okay())
        else socket.destroy()
      },
      async ({ wire, service }) => {
        await wire.send(callOf(), exchangeOf())
        await assert.rejects(wire.send(callOf(), exchangeOf()), isFault('service-reset'))
        assert.equal(service.requests.length, 3)
        assert.equal(wire.open, 0)
      },
    ))

  it('is not replaced once a byte was answered', () =>
    scene(
      createHttp1Client,
      (socket, request) => {
        if (request.number === 0) socket.write(okay())
        else socket.end('H')
      },
      async ({ wire, service }) => {
        await wire.send(callOf(), exchangeOf())
        await assert.rejects(wire.send(callOf(), exchangeOf()), isFault('service-reset'))
        assert.equal(service.requests.length, 2)
      },
    ))

  it('may say so with a 408, which then is no answer to the call', () =>
    scene(
      createHttp1Client,
      (socket, request) => {
        if (request.onConnection === 0) socket.write(okay(`connection ${request.connection}`))
        else socket.end('HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
      },
      async ({ wire }) => {
        await wire.send(callOf(), exchangeOf())
        assert.equal(await pulled((await wire.send(callOf(), exchangeOf())).body), 'connection 1')
        assert.equal((await wire.send(callOf({ method: 'POST' }), exchangeOf())).status, 408)
      },
    ))

  it('never says that nothing was sent, even when no fresh connection can be had, which costs no attempt', () => {
    const stops: (() => void)[] = []
    let asked = 0
    return scene(
      createHttp1Client,
      (socket, request) => {
        if (request.number === 0) socket.write(okay())
        else {
          for (const stop of stops) stop()
          socket.destroy()
        }
      },
      async ({ wire, service }) => {
        stops.push(() => service.stopListening())
        await wire.send(callOf(), exchangeOf())
        await assert.rejects(wire.send(callOf(), exchangeOf()), isFault('service-refused', false))
        assert.deepEqual([wire.open, wire.busy, wire.queued], [0, 0, 0])
        assert.equal(asked, 0)
      },
      { mayRepeat: () => ++asked > 0 },
    )
  })

  const early = { 'an answer nobody asked for': okay('stale'), 'the end of the connection': '' }
  for (const [what, text] of Object.entries(early)) {
    it(`and ${what} comes before the call was written: the call, of any method, goes to a fresh one`, () => {
      const sockets: Socket[] = []
      return scene(
        createHttp1Client,
        (socket, request) => {
          sockets.push(socket)
          socket.write(okay(`connection ${request.connection}`))
        },
        async ({ wire, service }) => {
          await wire.send(callOf(), exchangeOf())
          // From a timer: the loop reads what has come before it writes what was posted.
          const answer = await new Promise<Answer>((resolve, reject) => {
            setTimeout(() => {
              if (text === '') sockets[0].end()
              else sockets[0].write(text)
              wire.send(callOf({ method: 'POST', body: textBody('content') }), exchangeOf()).then(resolve, reject)
            }, 0)
          })
          assert.equal(await pulled(answer.body), 'connection 1')
          assert.deepEqual(
            service.requests.map(({ connection }) => connection),
            [0, 1],
          )
        },
      )
    })
  }

  it('keeps to the bound of connections while it is replaced', () =>
    scene(
      createHttp1Client,
      (socket, request) => {
        if (request.onConnection === 0) socket.write(okay(`connection ${request.connection}`))
        else socket.destroy()
      },
      async ({ wire, service }) => {
        await wire.send(callOf(), exchangeOf())
        const answers = await Promise.all([wire.send(callOf(), exchangeOf()), wire.send(callOf(), exchangeOf())])
        for (const answer of answers) assert.match(await pulled(answer.body), /^connection [12]$/)
        assert.ok(service.open.size <= 1)
      },
      { maxConnections: 1 },
    ))
})
