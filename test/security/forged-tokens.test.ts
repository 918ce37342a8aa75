import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { forgeryAt, issuerKeys } from '../support/forged-tokens.ts'
import { RawClient } from '../support/raw-client.ts'
import type { RawAnswer } from '../support/raw-client.ts'
import { jwkSet } from '../support/token-issuer.ts'
import { readyListeners, startVelum, workFolder } from '../support/velum-process.ts'

const config = readFileSync(new URL('../e2e/callers.yaml', import.meta.url), 'utf8')

test('every forged token is 401 over a real socket, alike, and says nothing of why', async (t) => {
  const served: string[] = []
  const server = createServer((request, response) => {
    if (request.url !== '/jwks.json') served.push(request.url!)
    response.end(request.url === '/jwks.json' ? jwkSet(...Object.values(issuerKeys)) : 'served')
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  const folder = workFolder(t)
  folder.write('velum.config.yaml', config)
  const env = { UPSTREAM: `http://127.0.0.1:${port}`, ISSUER: `http://127.0.0.1:${port}/jwks.json`, KEY_HASH: 'a'.repeat(64) }
  const velum = startVelum(t, ['run', '--workers', '1'], { folder: folder.path, env })
  const { web } = await readyListeners(velum)
  const ask = async (credential: string): Promise<RawAnswer> => {
    const client = await RawClient.to(Number(new URL(web).port))
    client.send(`GET /untold HTTP/1.1\r\nHost: api.example.com\r\nAuthorization: Bearer ${credential}\r\n\r\n`)
    const answer = await client.answer()
    client.close()
    return answer!
  }
  const { good, attacks } = forgeryAt(Math.floor(Date.now() / 1000))
  assert.equal((await ask(good)).status, 200)
  served.length = 0
  const told = new Set<string>()
  for (const [name, token] of attacks) {
    const text = token()
    // A line break would end the header field, and the size of a head is bounded before anybody looks for tokens.
    const answer = await ask(text.replaceAll('\n', ' \t'))
    if (text.length > 16_384) assert.equal(answer.status, 431, name)
    else if (text.endsWith('\n')) assert.equal(answer.status, 200, `${name}: whitespace around a field is none of it`)
    else {
      assert.equal(answer.status, 401, name)
      assert.equal(answer.fields.get('content-type'), 'application/problem+json', name)
      assert.ok(answer.fields.has('www-authenticate'), name)
      told.add(JSON.stringify({ ...(JSON.parse(answer.content) as object), instance: undefined }))
    }
  }
  assert.equal(told.size, 1, [...told].join('\n'))
  assert.doesNotMatch([...told][0], /\bat \S+:\d+|node_modules|signature|kid/)
  assert.deepEqual(served, ['/untold'], 'that is the good one with a space behind it')
  assert.equal((await ask(good)).status, 200, 'and nothing is the worse for it')
})
