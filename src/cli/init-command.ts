import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { defaultFiles } from '../config/load.ts'
import type { Command } from './command.ts'
import { exitCode } from './command.ts'

const file = 'velum.config.ts'

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
    io.out(`wrote ${file}; start it with: velum run\n`)
    return exitCode.done
  },
}
