import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { createTestAuthority } from './authority.ts'
import { startDnsServer } from './dns-server.ts'
import type { Cleanup, WorkFolder } from './velum-process.ts'

/** Let's Encrypt's test server: a real ACME authority on loopback, which asks back at `httpPort` of 127.0.0.1. */
export interface Pebble {
  readonly directory: string
  /** The path of the authority that its own HTTPS is by. */
  readonly caPath: string
  /** PEM of the root of what it issues. */
  root(): Promise<string>
  /** How many certificates it has issued. */
  readonly issued: number
  /** These lead to 127.0.0.1. */
  name(...names: string[]): void
  kill(): Promise<void>
}

/** Why tests with a real ACME authority cannot run here; false when they can. */
export const noPebble: string | false =
  spawnSync('pebble', ['-h'], { stdio: 'ignore' }).error === undefined ? false : 'there is no pebble on this machine'

/** Starts one that is ended with the test. */
export async function startPebble(t: Cleanup, folder: WorkFolder, httpPort: number): Promise<Pebble> {
  const authority = await createTestAuthority('of the authority itself')
  const own = await authority.issue('localhost')
  const dns = await startDnsServer()
  t.after(() => dns.close())
  const caPath = folder.write('pebble-ca.pem', authority.cert)
  const [port, managementPort] = [await freePort(), await freePort()]
  const config = {
    listenAddress: `127.0.0.1:${port}`,
    managementListenAddress: `127.0.0.1:${managementPort}`,
    certificate: folder.write('pebble.pem', own.cert),
    privateKey: folder.write('pebble.key', own.key),
    httpPort,
    tlsPort: 1,
    ocspResponderURL: '',
    externalAccountBindingRequired: false,
  }
  folder.write('pebble.json', JSON.stringify({ pebble: config }))
  const child = spawn('pebble', ['-strict', '-config', join(folder.path, 'pebble.json'), '-dnsserver', dns.address], {
    env: { ...process.env, PEBBLE_VA_NOSLEEP: '1' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.after(() => void child.kill('SIGKILL'))
  let issued = 0
  const lines = createInterface(child.stdout)
  const listening = new Promise<void>((resolve, reject) => {
    child.once('exit', () => reject(new Error('pebble did not start')))
    lines.on('line', (line) => {
      if (line.includes('Listening on')) resolve()
      if (line.includes('Issued certificate')) issued++
      if (process.env['PEBBLE_LOG'] !== undefined) process.stderr.write(`${line}\n`)
    })
  })
  await listening
  return {
    directory: `https://127.0.0.1:${port}/dir`,
    caPath,
    root: async () => {
      const { createTrustingFetch } = await import('../../src/wire/node/trusting-fetch.ts')
      const trusting = createTrustingFetch({ ca: authority.cert })
      const response = await trusting.fetch(`https://127.0.0.1:${managementPort}/roots/0`)
      const text = await response.text()
      await trusting.close()
      return text
    },
    get issued() {
      return issued
    },
    name: (...names) => {
      for (const name of names) dns.set(name, { a: ['127.0.0.1'] })
    },
    async kill() {
      child.kill('SIGKILL')
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    },
  }
}

/** Free at this moment. */
async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as AddressInfo
  probe.close()
  await once(probe, 'close')
  return port
}
