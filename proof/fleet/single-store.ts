import { execFile, spawn, spawnSync } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Cleanup } from '../../test/support/velum-process.ts'
import { workFolder } from '../../test/support/velum-process.ts'

export const redisBinary: string | undefined = ['redis-server', 'valkey-server'].find(
  (name) => spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0,
)

const slowWay = fileURLToPath(new URL('slow-way.ts', import.meta.url))

export interface ServerPlace {
  /** What stands before a command that runs where it is. */
  readonly prefix: readonly string[]
  /** Where it listens, and where its own shell finds it. */
  readonly host: string
  readonly at: string
  readonly port: number
}

/** One server of a store, with an append-only file in a folder of its own. */
export class StoreServer {
  place: ServerPlace
  readonly #folder: string
  #args: readonly string[]
  #child: ChildProcess | undefined
  #port: number

  constructor(t: Cleanup, place: ServerPlace, args: readonly string[] = []) {
    this.place = place
    this.#port = place.port
    this.#folder = join(workFolder(t).path, 'data')
    this.#args = args
    t.after(() => this.kill())
  }

  async start(): Promise<void> {
    const { prefix, host, port } = this.place
    mkdirSync(this.#folder, { recursive: true })
    const fixed = ['--port', String(port), '--bind', host, '--protected-mode', 'no', '--save', '', '--dir', this.#folder]
    const command = [...prefix, redisBinary!, ...fixed, '--appendonly', 'yes', '--repl-diskless-sync-delay', '0', ...this.#args]
    this.#child = spawn(command[0], command.slice(1), { stdio: 'ignore' })
    this.#port = port
    while (!(await this.#tell('ping')).out.startsWith('PONG')) {
      if (this.#child.exitCode !== null) throw new Error(`${command.join(' ')} ended with ${this.#child.exitCode}`)
      await sleep(20)
    }
  }

  /** Runs a command by redis-cli; gives what it prints. */
  async cli(...args: string[]): Promise<string> {
    const { isDone, out } = await this.#tell(...args)
    if (!isDone || /^(?:ERR|NOAUTH|READONLY)\b/.test(out)) throw new Error(`redis-cli ${args.join(' ')}: ${out}`)
    return out
  }

  /** Stops its process where it stands: connections stay open, nothing is answered. */
  pause(): void {
    this.#child?.kill('SIGSTOP')
  }

  resume(): void {
    this.#child?.kill('SIGCONT')
  }

  /** Ends it as a crash does. */
  async kill(): Promise<void> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  }

  /** Makes a server that was killed forget all. */
  forget(): void {
    rmSync(this.#folder, { recursive: true, force: true })
  }

  /** Becomes a master, in another's place for good. */
  async takeOver(port: number): Promise<void> {
    await this.cli('replicaof', 'no', 'one')
    this.#args = []
    await this.move(port)
    this.place = { ...this.place, port }
  }

  /** Listens elsewhere from now on, and lets go of who is connected. */
  async move(port: number): Promise<void> {
    await this.cli('config', 'set', 'port', String(port))
    this.#port = port
    for (const kind of ['normal', 'pubsub']) await this.cli('client', 'kill', 'type', kind)
  }

  #tell(...args: string[]): Promise<{ isDone: boolean; out: string }> {
    const { prefix, at } = this.place
    const command = [...prefix, 'redis-cli', '-h', at, '-p', String(this.#port), ...args]
    return new Promise((resolve) => {
      execFile(command[0], command.slice(1), { timeout: 10_000 }, (error, stdout, stderr) =>
        resolve({ isDone: error === null, out: `${stdout}${stderr}` }),
      )
    })
  }
}

/** Puts a slow way before a server: whoever comes by its port waits so much longer, each way. Gives how to take it away. */
export async function slowDown(server: StoreServer, otherPort: number, delayMs: number): Promise<() => Promise<void>> {
  const { prefix, host, port } = server.place
  await server.move(otherPort)
  const command = [...prefix, process.execPath, slowWay, host, String(port), String(otherPort), String(delayMs)]
  const child = spawn(command[0], command.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(child.stdout, 'data')
  return async () => {
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
    await server.move(port)
  }
}
