import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { defaultFiles } from '../config/load.ts'
import type { Command } from './command.ts'
import { exitCode } from './command.ts'

const file = 'velum.config.ts'
const testFile = 'velum.test.ts'

/** A configuration that works as it stands and shows where to go on. */
const text = `import { defineGateway } from 'velum'

// Check it with "velum check", see its routes with "velum routes", run it with "velum run".
export default defineGateway({
  name: 'my-gateway',

  listeners: {
    // tls: { dev: true } would serve https with a development certificate;
    // tls: { certificates: [{ cert: 'api.pem', key: 'api.key' }] } with your own.
    web: { port: 8080 },
  },

  // Health, metrics and reload, on loopback only. The token is kept in .velum/admin.token.
  admin: { port: 9900 },

  services: {
    // What stands behind. Its name is what routes lead to.
    // orders: { url: 'http://127.0.0.1:7002', timeout: '5s' },
  },

  limits: {
    // A burst of 20 requests, then 5 per second, for each client address.
    perAddress: { algorithm: 'token-bucket', capacity: 20, refill: '5/s', per: ['address'] },
  },

  routes: [
    {
      name: 'hello',
      match: { path: '/', methods: ['GET'] },
      // Every route says who may call it: nothing is public by omission.
      auth: 'public',
      limits: ['perAddress'],
      respond: { status: 200, headers: { 'content-type': 'text/plain; charset=utf-8' }, body: 'Velum is running.\\n' },
    },
    // { name: 'orders', match: { path: '/orders/**' }, auth: 'public', to: 'orders' },
  ],
})
`

/** Tests of that configuration that pass as they stand. */
const testText = `import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createTestGateway } from 'velum/testing'

// Run with "velum test": in this process, with no port opened, and with a time that moves only when it is told to.
const config = new URL('velum.config.ts', import.meta.url)

test('everybody is welcome', async () => {
  await using gateway = await createTestGateway(config)
  const answer = await gateway.request('GET', '/')
  assert.equal(answer.status, 200)
})

test('but not too often: a burst of 20, then 5 per second', async () => {
  await using gateway = await createTestGateway(config)
  for (let i = 0; i < 20; i++) assert.equal((await gateway.request('GET', '/')).status, 200)
  const refused = await gateway.request('GET', '/')
  assert.equal(refused.status, 429)
  assert.equal(refused.refused?.label, 'limited:perAddress')
  await gateway.advance('1s')
  assert.equal((await gateway.request('GET', '/')).status, 200)
})
`

export const initCommand: Command = {
  usage: '',
  options: {},
  maxPositionals: 0,
  run: async (_, io) => {
    const present = defaultFiles.find((name) => existsSync(join(io.folder, name)))
    if (present !== undefined) {
      io.err(`velum: ${present} is there already; remove or rename it to have a new one written\n`)
      return exitCode.input
    }
    writeFileSync(join(io.folder, file), text, { flag: 'wx' })
    const hasTests = existsSync(join(io.folder, testFile))
    if (!hasTests) writeFileSync(join(io.folder, testFile), testText, { flag: 'wx' })
    io.out(`wrote ${file}; start it with: velum run\n`)
    if (!hasTests) io.out(`wrote ${testFile}; run it with: velum test\n`)
    return exitCode.done
  },
}
