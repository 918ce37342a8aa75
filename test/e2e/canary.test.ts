import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { test } from 'node:test'
import { okay, startRawService } from '../support/raw-service.ts'
import { readyListeners, startVelum, workFolder } from '../support/velum-process.ts'

const config = (canary: number): string => `
name: canary
listeners: { web: { port: 0, host: 127.0.0.1 } }
log: { format: none }
services:
  stable: { url: '\${STABLE}' }
  canary: { url: '\${CANARY}', retries: { attempts: 3, budget: 1 }, eject: false }
defaults: { auth: public }
routes:
  - name: sticky
    match: { path: /sticky }
    split: address
    to: [{ service: stable, weight: ${100 - canary} }, { service: canary, weight: ${canary} }]
  - name: sick
    match: { path: /sick }
    split: address
    to: [{ service: stable, weight: ${100 - canary} }, { service: canary, weight: ${canary} }]
`

test('a canary', { timeout: 60_000 }, async (t) => {
  const stable = await startRawService((socket) => void socket.write(okay('stable')))
  const canary = await startRawService((socket, { head }) => {
    if (head.startsWith('GET /sick ')) socket.write('HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n')
    else socket.write(okay('canary'))
  })
  t.after(() => Promise.all([stable.close(), canary.close()]))
  const folder = workFolder(t)
  folder.write('velum.config.yaml', config(30))
  const velum = startVelum(t, ['run', '--workers', '2'], {
    folder: folder.path,
    env: { STABLE: `http://127.0.0.1:${stable.port}`, CANARY: `http://127.0.0.1:${canary.port}` },
  })
  const { web } = await readyListeners(velum)
  const ask = async (path: string, localAddress: string): Promise<string> => {
    const sent = request(`${web}${path}`, { agent: false, localAddress })
    sent.end()
    const [response] = (await once(sent, 'response')) as [IncomingMessage]
    let text = ''
    for await (const chunk of response) text += String(chunk)
    return response.statusCode === 200 ? text : String(response.statusCode)
  }
  const callers = Array.from({ length: 100 }, (_, i) => `127.0.1.${i + 1}`)
  const drawn = (): Promise<string[]> => Promise.all(callers.map((caller) => ask('/sticky', caller)))
  const before = await drawn()

  await t.test('meets the same callers each time, on every worker', async () => {
    for (let i = 0; i < 3; i++) assert.deepEqual(await drawn(), before)
    const share = before.filter((name) => name === 'canary').length
    // These callers are always the same, and so is their number.
    assert.ok(share > 15 && share < 45, `${share} of 100 at 30 %`)
  })

  await t.test('that fails is tried again within itself', async () => {
    const [stableBefore, canaryBefore] = [stable.requests.length, canary.requests.length]
    const caller = callers[before.indexOf('canary')]
    assert.equal(await ask('/sick', caller), '503')
    assert.equal(stable.requests.length, stableBefore)
    assert.equal(canary.requests.length, canaryBefore + 3)
  })

  await t.test('keeps its callers when its share grows', async () => {
    folder.write('velum.config.yaml', config(60))
    velum.kill('SIGHUP')
    await velum.printed(/"msg":"the configuration was replaced"/)
    const after = await drawn()
    assert.ok(callers.every((_, i) => before[i] === 'stable' || after[i] === 'canary'))
    assert.ok(after.filter((name) => name === 'canary').length > before.filter((name) => name === 'canary').length)
  })
})
