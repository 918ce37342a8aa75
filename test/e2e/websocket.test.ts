import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { echoWebSocket } from '../../demo/websocket-echo.ts'
import { readyListeners, startVelum, workFolder } from '../support/velum-process.ts'

const config = (edition: string): string => `
name: websocket
listeners: { web: { port: 0, host: 127.0.0.1 } }
log: { format: none }
services: { orders: { url: '\${ORDERS}' } }
defaults: { auth: public }
routes:
  - { name: echo, match: { path: /orders/echo }, to: orders }
  - { name: edition, match: { path: /edition }, respond: { status: 200, body: ${edition} } }
`

/** The next message of a WebSocket. */
async function heard(socket: WebSocket): Promise<string> {
  const [event] = (await once(socket, 'message')) as [MessageEvent]
  return String(event.data)
}

test('a WebSocket lives through reloads', { timeout: 60_000 }, async (t) => {
  const orders = createServer().listen(0, '127.0.0.1')
  orders.on('upgrade', echoWebSocket)
  await once(orders, 'listening')
  const folder = workFolder(t)
  folder.write('velum.config.yaml', config('first'))
  const velum = startVelum(t, ['run', '--workers', '2'], {
    folder: folder.path,
    env: { ORDERS: `http://127.0.0.1:${(orders.address() as AddressInfo).port}` },
  })
  const { web } = await readyListeners(velum)
  const socket = new WebSocket(`${web.replace('http', 'ws')}/orders/echo`, ['other.v1', 'echo.v1'])
  await once(socket, 'open')
  assert.equal(socket.protocol, 'echo.v1')
  socket.send('before')
  assert.equal(await heard(socket), 'before')
  for (const [i, edition] of ['second', 'third'].entries()) {
    folder.write('velum.config.yaml', config(edition))
    velum.kill('SIGHUP')
    await velum.printed(new RegExp(`(?:"msg":"the configuration was replaced"[^]*){${i + 1}}`))
    assert.equal(await (await fetch(`${web}/edition`)).text(), edition)
    socket.send(`after ${edition}`)
    assert.equal(await heard(socket), `after ${edition}`)
  }
  const large = 'x'.repeat(200_000)
  socket.send(large)
  assert.equal(await heard(socket), large)
  socket.close(1000)
  const [closed] = (await once(socket, 'close')) as [CloseEvent]
  assert.equal(closed.code, 1000)
  orders.close()
})
