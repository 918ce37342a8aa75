import assert from 'node:assert/strict'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import { connect } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { demoAudience } from './auth.ts'
import type { DemoServices } from './start-demo-services.ts'
import { startDemoServices } from './start-demo-services.ts'

const anyPort = { auth: 0, orders: 0, billing: 0, users: 0 }
let demo: DemoServices

before(async () => {
  demo = await startDemoServices({ ports: anyPort })
})
after(() => demo.close())

// Answers are looked into freely here; what they hold is what is tested.
// oxlint-disable-next-line typescript/no-explicit-any
type Json = Record<string, any>

async function json(url: string, init?: RequestInit): Promise<{ status: number; body: Json; headers: Headers }> {
  const response = await fetch(url, init)
  return { status: response.status, body: (await response.json()) as Json, headers: response.headers }
}

describe('the demo', () => {
  it('says on every HTTP/1.1 service that it is well', async () => {
    for (const name of ['auth', 'orders', 'users'] as const) {
      assert.deepEqual((await json(`${demo.addresses[name]}/healthz`)).body, { status: 'ok' })
    }
  })

  it('mints a token that its JWKS verifies, with who and for whom', async () => {
    const keys = createRemoteJWKSet(new URL(`${demo.addresses.auth}/jwks.json`))
    const { payload, protectedHeader } = await jwtVerify(demo.token, keys, {
      issuer: demo.addresses.auth,
      audience: demoAudience,
      typ: 'at+jwt',
    })
    assert.equal(protectedHeader.alg, 'ES256')
    assert.equal(payload.sub, 'ada')
    assert.equal(payload['tenant'], 'acme')
    assert.deepEqual(payload['roles'], ['buyer', 'approver'])
    assert.match(String(payload['scope']), /\borders:read\b/)
    assert.ok(payload.jti !== undefined && payload.exp !== undefined && payload.iat !== undefined)
  })

  it('gives tokens for other people, and none for strangers', async () => {
    const ask = (user: string) =>
      json(`${demo.addresses.auth}/token`, { method: 'POST', body: JSON.stringify({ user, scope: 'users:read' }) })
    const { body } = await ask('chidi')
    const keys = createRemoteJWKSet(new URL(`${demo.addresses.auth}/jwks.json`))
    const { payload } = await jwtVerify(String(body['access_token']), keys)
    assert.deepEqual([payload['tenant'], payload['scope']], ['globex', 'users:read'])
    assert.equal((await ask('mallory')).status, 404)
  })

  it('shows a caller the orders of its own tenant', async () => {
    const { orders } = demo.addresses
    assert.equal((await json(`${orders}/orders`)).body['orders'].length, 6)
    const mine = await json(`${orders}/orders`, { headers: { 'x-auth-tenant': 'globex' } })
    assert.deepEqual(new Set(mine.body['orders'].map((order: { tenant: string }) => order.tenant)), new Set(['globex']))
    assert.equal((await json(`${orders}/orders/o-1001`, { headers: { 'x-auth-tenant': 'globex' } })).status, 404)
    assert.equal((await json(`${orders}/orders/o-1001`)).body['total'].minorUnits, 4 * 28900 + 4 * 41950)
  })

  it('takes an order at the prices of the catalog, and refuses nonsense', async () => {
    const { orders } = demo.addresses
    const post = (body: string) =>
      json(`${orders}/orders`, { method: 'POST', body, headers: { 'x-auth-tenant': 'acme', 'x-auth-subject': 'ada' } })
    const made = await post('{"lines":[{"sku":"PEN-INK-05","quantity":3,"unitPrice":{"currency":"EUR","minorUnits":1}}]}')
    assert.equal(made.status, 201)
    assert.equal(made.body['total'].minorUnits, 3 * 2350)
    assert.equal((await json(orders + made.headers.get('location'))).body['buyer'], 'ada')
    assert.equal((await post('{')).status, 400)
    for (const lines of ['[]', '[null]', '[{"sku":"X","quantity":1}]', '[{"sku":"PEN-INK-05","quantity":1.5}]']) {
      assert.equal((await post(`{"lines":${lines}}`)).status, 422, lines)
    }
    assert.equal((await post(`"${'x'.repeat(1_100_000)}"`)).status, 413)
    assert.equal((await json(`${orders}/orders`, { method: 'DELETE' })).status, 405)
  })

  it('knows its products and people', async () => {
    assert.equal((await json(`${demo.addresses.orders}/catalog/KBD-ISO-DE`)).body['price'].minorUnits, 11900)
    assert.equal((await json(`${demo.addresses.orders}/catalog/none`)).status, 404)
    assert.equal((await json(`${demo.addresses.users}/users`)).body['users'].length, 6)
    const me = await json(`${demo.addresses.users}/users/me`, { headers: { 'x-auth-subject': 'bela', 'x-auth-tenant': 'acme' } })
    assert.equal(me.body['name'], 'Béla Kovács')
    assert.equal((await json(`${demo.addresses.users}/users/me`)).status, 404)
  })

  it('streams new orders as server-sent events', async () => {
    const { orders } = demo.addresses
    const response = await fetch(`${orders}/orders/events`, { headers: { 'x-auth-tenant': 'initech' } })
    assert.equal(response.headers.get('content-type'), 'text/event-stream')
    for (const tenant of ['acme', 'initech']) {
      await fetch(`${orders}/orders`, {
        method: 'POST',
        body: '{"lines":[{"sku":"CBL-USBC-2M","quantity":1}]}',
        headers: { 'x-auth-tenant': tenant },
      })
    }
    let text = ''
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      text += chunk
      if (text.includes('event: order')) break
    }
    const event = JSON.parse(/data: (.*)/.exec(text)![1]) as { tenant: string }
    assert.equal(event.tenant, 'initech')
  })

  it('echoes on a WebSocket: small, large and binary messages', async () => {
    const socket = new WebSocket(`${demo.addresses.orders.replace('http', 'ws')}/orders/echo`, ['other.v1', 'echo.v1'])
    socket.binaryType = 'arraybuffer'
    await once(socket, 'open')
    assert.equal(socket.protocol, 'echo.v1')
    for (const text of ['hello', 'x'.repeat(300), 'ü'.repeat(70_000)]) {
      socket.send(text)
      assert.equal((await once(socket, 'message')).data, text)
    }
    socket.send(new Uint8Array([1, 2, 255]))
    assert.deepEqual(new Uint8Array((await once(socket, 'message')).data as ArrayBuffer), new Uint8Array([1, 2, 255]))
    socket.close(1000, 'done')
    assert.equal((await once(socket, 'close')).code, 1000)
  })

  it('closes a WebSocket that breaks the protocol', async () => {
    const { hostname, port } = new URL(demo.addresses.orders)
    const socket = connect(Number(port), hostname)
    socket.write(
      'GET /orders/echo HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
    )
    socket.write(Buffer.from([0x81, 0x02, 0x68, 0x69])) // a text frame without a mask
    let received = Buffer.alloc(0)
    for await (const chunk of socket as AsyncIterable<Buffer>) received = Buffer.concat([received, chunk])
    assert.deepEqual([...received.subarray(-4)], [0x88, 0x02, 1002 >> 8, 1002 & 0xff])
  })

  it('stops what it started when one port is taken', async () => {
    const taken = Number(new URL(demo.addresses.users).port)
    await assert.rejects(startDemoServices({ ports: { ...anyPort, users: taken } }), { code: 'EADDRINUSE' })
  })
})

function once(socket: WebSocket, type: string): Promise<MessageEvent & CloseEvent> {
  return new Promise((resolve, reject) => {
    socket.addEventListener(type, (event) => resolve(event as MessageEvent & CloseEvent), { once: true })
    socket.addEventListener('error', () => reject(new Error('the WebSocket failed')), { once: true })
  })
}
