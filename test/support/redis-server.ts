import { spawn, spawnSync } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'

/** A real server on a free port of loopback, for one test file. */
export interface RedisServer {
  readonly port: number
  readonly url: string
  /** Runs a command by redis-cli; returns what it prints. */
  cli(...args: string[]): string
  /** Stops its process where it stands: connections stay open, nothing is answered. */
  pause(): void
  resume(): void
  /** Ends it as a crash does. */
  kill(): Promise<void>
  /** Ends it, and starts one in its place, on the same port and with nothing in it. */
  restartEmpty(): Promise<void>
  stop(): Promise<void>
}

const binaries = ['redis-server', 'valkey-server']

/** Why tests with a real Redis cannot run here; false when they can. */
export const noRedis: string | false = binaries.some(has) ? false : 'there is no redis-server or valkey-server on this machine'

/** Starts a server with these further arguments. */
export async function startRedis(...args: string[]): Promise<RedisServer> {
  const binary = binaries.find(has)!
  const folder = mkdtempSync(join(tmpdir(), 'velum-redis-'))
  const port = await freePort()
  const start = (): Promise<ChildProcess> => launch(binary, port, folder, args)
  let child = await start()
  const end = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  }
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    cli: (...command) => run('redis-cli', ['-p', String(port), ...command]),
    pause: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
    kill: end,
    async restartEmpty() {
      await end()
      child = await start()
    },
    async stop() {
      await end()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Three masters that share the slots. */
export async function startCluster(): Promise<{ readonly servers: readonly RedisServer[]; stop(): Promise<void> }> {
  const servers = await Promise.all([1, 2, 3].map(() => startRedis('--cluster-enabled', 'yes', '--cluster-node-timeout', '2000')))
  const addresses = servers.map(({ port }) => `127.0.0.1:${port}`)
  run('redis-cli', ['--cluster', 'create', ...addresses, '--cluster-yes'])
  for (const server of servers) while (!server.cli('cluster', 'info').includes('cluster_state:ok')) await sleep(20)
  return {
    servers,
    async stop() {
      await Promise.all(servers.map((server) => server.stop()))
    },
  }
}

function has(binary: string): boolean {
  return spawnSync(binary, ['--version'], { stdio: 'ignore' }).status === 0
}

function run(command: string, args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed: ${stdout}${stderr}`)
  return stdout
}

async function launch(binary: string, port: number, folder: string, args: readonly string[]): Promise<ChildProcess> {
  const fixed = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder]
  const child = spawn(binary, [...fixed, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  const lines: string[] = []
  for await (const line of createInterface(child.stdout)) {
    lines.push(line)
    if (!line.includes('eady to accept connections')) continue
    child.stdout.resume()
    // A test that fails early must not leave it behind.
    process.once('exit', () => child.kill('SIGKILL'))
    return child
  }
  throw new Error(`${binary} did not start: ${lines.join('\n')}`)
}

/** Free now; a cluster also listens 10000 above, so it stays below 55536. */
async function freePort(): Promise<number> {
  for (;;) {
    const probe = createServer().listen(0, '127.0.0.1')
    await once(probe, 'listening')
    const { port } = probe.address() as AddressInfo
    probe.close()
    await once(probe, 'close')
    if (port < 55_536) return port
  }
}
