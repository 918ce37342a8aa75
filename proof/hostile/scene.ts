import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startServer, freePort } from '../../bench/support/processes.ts'
import { systemClock } from '../../src/core/clock.ts'
import { ensureDevCertificate } from '../../src/wire/tls/dev-certificate.ts'
import { accessToken, jwkSet, signingKey } from '../../test/support/token-issuer.ts'
import type { Cleanup } from '../../test/support/velum-process.ts'
import { workFolder } from '../../test/support/velum-process.ts'
import type { Target } from './target.ts'

/** A gateway under attack, with what stands behind it. */
export interface Scene {
  readonly target: Target
  readonly pid: number
  /** What is wrong with it: gone, workers lost, errors uncaught. Empty: nothing. */
  damage(): Promise<string>
}

const launcher = fileURLToPath(new URL('../../bin/velum.js', import.meta.url))
/** Of the gateway, its services and honest clients; attackers have less. */
export const niceness = -10

/*
 * A configuration as an operator would write it who expects to be attacked: short patience, so that it is seen at work within
 * a window, bounds per address at the edge (so that nobody holds all connections to a service by slow bodies or slow reading, which
 * pass through as they come), and the defaults everywhere else. The limits refuse no honest client; they cost what they cost.
 */
function configOf(ports: { plain: number; tls: number; admin: number; service: number; grpc: number }): object {
  const listener = {
    host: '127.0.0.1',
    timeouts: { head: '1s', body: '1s', write: '1s' },
    edge: { connectionsPerAddress: 200, connectionRate: '200/s', limits: ['atOnce'] },
  }
  const wide = { algorithm: 'token-bucket', capacity: 1_000_000, refill: '1000000/s' }
  return {
    name: 'hostile',
    // Nobody comes from there; it says that sessions may be used without TLS.
    trustedProxies: ['192.0.2.1'],
    listeners: {
      plain: { ...listener, port: ports.plain },
      tls: {
        ...listener,
        port: ports.tls,
        edge: { ...listener.edge, handshakeRate: '50/s' },
        tls: { certificates: [{ cert: 'cert.pem', key: 'key.pem' }] },
      },
    },
    admin: { port: ports.admin },
    log: { format: 'json', file: 'access.log' },
    services: {
      service: { url: `http://127.0.0.1:${ports.service}`, maxConnections: 256 },
      billing: { url: `grpc://127.0.0.1:${ports.grpc}`, protos: 'protos/billing.proto' },
    },
    identity: {
      issuer: `https://localhost:${ports.tls}`,
      trustedIssuers: {
        partner: { issuer: 'https://issuer.example.com', jwks: 'jwks.json', audience: 'https://api.example.com' },
      },
    },
    limits: {
      atOnce: { algorithm: 'concurrency', limit: 10, per: ['address'] },
      perSubject: { ...wide, per: ['subject'] },
      perKey: { algorithm: 'token-bucket', capacity: 10, refill: '1/m', per: ['header:x-key'] },
    },
    routes: [
      { name: 'open', match: { path: '/open/**' }, auth: 'public', to: 'service', body: { max: '1mb' } },
      { name: 'cached', match: { path: '/cached/**' }, auth: 'public', to: 'service', cache: { ttl: '30s' } },
      { name: 'guarded', match: { path: '/guarded/**' }, auth: { any: ['bearer'] }, limits: ['perSubject'], to: 'service' },
      { name: 'answered', match: { path: '/answered/**' }, auth: 'public', respond: { status: 200, body: 'yes' } },
      {
        name: 'signed-in',
        match: { path: '/session/**' },
        auth: { any: ['session', 'bearer'], optional: true },
        respond: { status: 200, body: 'yes' },
      },
      { name: 'keyed', match: { path: '/keyed/**' }, auth: 'public', limits: ['perKey'], respond: { status: 200, body: 'yes' } },
      { name: 'socket', match: { path: '/orders/echo' }, auth: 'public', to: 'service' },
      {
        name: 'bridged',
        match: { path: ['/v1/**', '/billing.v1.Billing/{method}'] },
        auth: 'public',
        to: 'billing',
        bridge: ['rest', 'websocket'],
      },
      { name: 'graphql', match: { path: '/graphql' }, auth: 'public', to: 'billing', bridge: 'graphql' },
    ],
  }
}

/**
 * Starts services on `clientCore` and the gateway, with one worker, on `gatewayCore`; there too a service that is asked
 * without the gateway, whose answers tell how busy that core is with other things.
 */
export async function startScene(t: Cleanup, gatewayCore: string, clientCore: string): Promise<Scene> {
  const folder = workFolder(t)
  const ports = {
    plain: await freePort(),
    tls: await freePort(),
    admin: await freePort(),
    service: await freePort(),
    straight: await freePort(),
    grpc: await freePort(),
  }
  const certificate = await ensureDevCertificate(join(folder.path, 'ca'), [], systemClock)
  folder.write('cert.pem', certificate.cert)
  folder.write('key.pem', certificate.key)
  const key = signingKey('ES256', 'key-1')
  folder.write('jwks.json', jwkSet(key).toString())
  const protos = fileURLToPath(new URL('../../demo/protos', import.meta.url))
  const config = JSON.stringify(configOf(ports)).replaceAll('protos/billing.proto', join(protos, 'billing.proto'))
  folder.write('velum.config.json', config)

  // Ahead of whatever else the machine does, as far as it lets us.
  const start = async (args: readonly string[], cores: string, name: string, port: number, env = {}): Promise<number> => {
    const options = { cores, output: join(folder.path, name), port, env }
    const running = await startServer('nice', ['-n', String(niceness), process.execPath, '--no-warnings', ...args], options)
    t.after(() => running.stop())
    return running.pid
  }
  const serviceFile = fileURLToPath(new URL('service.ts', import.meta.url))
  await start([serviceFile, String(ports.service), String(ports.grpc)], clientCore, 'service.out', ports.service)
  await start([serviceFile, String(ports.straight)], gatewayCore, 'straight.out', ports.straight)
  const adminToken = randomBytes(24).toString('hex')
  const run = [launcher, 'run', '--config', join(folder.path, 'velum.config.json'), '--workers', '1']
  const pid = await start(run, gatewayCore, 'gateway.out', ports.plain, { VELUM_ADMIN_TOKEN: adminToken })
  // Nobody waits for an answer any more when it ends: no drain.
  t.after(() => void process.kill(pid, 'SIGKILL'))
  return {
    pid,
    target: {
      plainPort: ports.plain,
      tlsPort: ports.tls,
      straightPorts: [ports.service, ports.straight],
      authority: readFileSync(certificate.authorityPath, 'utf8'),
      token: accessToken(key, Date.now(), { exp: Math.floor(Date.now() / 1000) + 3600 }),
    },
    async damage() {
      let metrics: string
      try {
        const answer = await fetch(`http://127.0.0.1:${ports.admin}/metrics`, {
          headers: { authorization: `Bearer ${adminToken}` },
          signal: AbortSignal.timeout(5000),
        })
        metrics = await answer.text()
      } catch (thrown) {
        const printed = readFileSync(join(folder.path, 'gateway.out'), 'utf8').slice(-500)
        return `the admin server does not answer: ${String(thrown)} ${printed}`
      }
      return ['velum_worker_losses_total', 'velum_uncaught_errors_total', 'velum_policy_failures_total']
        .map((name) => [name, totalOf(metrics, name)] as const)
        .filter(([, count]) => count > 0)
        .map(([name, count]) => `${name} ${count}`)
        .join(', ')
    },
  }
}

/** The sum of a family's series in the text format of Prometheus. */
function totalOf(metrics: string, family: string): number {
  let total = 0
  for (const line of metrics.split('\n')) {
    if (line.startsWith(`${family} `) || line.startsWith(`${family}{`)) total += Number(line.slice(line.lastIndexOf(' ') + 1))
  }
  return total
}
