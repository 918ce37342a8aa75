import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { WebSocket } from 'ws'
import { flowProto, startFlow } from '../support/flow-service.ts'
import { httpsAsker } from '../support/velum-https.ts'
import { readyListeners, runCommand, startVelum, workFolder } from '../support/velum-process.ts'

const password = 'correct horse battery'

test('a WebSocket of a session: pages of other origins have none, and it ends with the session', { timeout: 60_000 }, async (t) => {
  const folder = workFolder(t)
  folder.write('velum.config.yaml', readFileSync(new URL('websocket-session.yaml', import.meta.url), 'utf8'))
  const flow = await startFlow(t)
  const options = { folder: folder.path, env: { FLOW: flow.url, FLOW_PROTO: fileURLToPath(flowProto) } }
  const added = await runCommand(['user', 'add', 'ada', '--password-stdin', '--roles', 'staff'], {
    ...options,
    input: `${password}\n`,
  })
  assert.equal(added.code, 0, added.err)
  const velum = startVelum(t, ['run', '--workers', '1'], options)
  const { web } = await readyListeners(velum)
  const ask = httpsAsker(web, folder.path)
  const own = { 'sec-fetch-site': 'same-origin' }
  const login = await ask('POST', '/auth/login', { headers: own, json: { username: 'ada', password } })
  assert.equal(login.status, 200, login.content)
  const cookie = login.cookies.find((pair) => pair.startsWith('__Host-Http-velum='))!
  const ca = readFileSync(join(folder.path, '.velum', 'dev-ca.pem'))
  const open = (headers: Readonly<Record<string, string>>): WebSocket => {
    const socket = new WebSocket(`${web.replace('https', 'wss')}/flow.v1.Flow/Both`, 'velum.grpc.json.v1', { ca, headers })
    t.after(() => socket.terminate())
    socket.on('error', () => {})
    return socket
  }
  const refused = async (headers: Readonly<Record<string, string>>): Promise<number> => {
    const [, response] = (await once(open(headers), 'unexpected-response')) as [unknown, { statusCode: number; resume(): void }]
    response.resume()
    return response.statusCode
  }

  assert.equal(await refused({}), 401)
  assert.equal(await refused({ cookie }), 403, 'nobody says what page it comes from')
  assert.equal(await refused({ cookie, origin: 'https://evil.example' }), 403)
  assert.equal(await refused({ cookie, origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }), 403)
  assert.equal(await refused({ cookie, origin: 'null' }), 403)

  const listed = open({ cookie, origin: 'https://app.example.com', 'sec-fetch-site': 'cross-site' })
  await once(listed, 'open')
  listed.terminate()

  const socket = open({ cookie, origin: web.toLowerCase(), 'sec-fetch-site': 'same-origin' })
  await once(socket, 'open')
  const called = once(flow.events, 'left')
  socket.send('{"how":"ok","text":"a"}')
  assert.equal(String((await once(socket, 'message'))[0]), '{"text":"a","number":"1"}')
  const last = once(socket, 'message')
  const closed = once(socket, 'close')
  assert.equal((await ask('POST', '/auth/logout', { headers: { cookie, ...own } })).status, 204)
  assert.match(String((await last)[0]), /^\{"\$status":\{"code":16,/)
  assert.equal(((await closed) as [number])[0], 4016)
  await called
})
