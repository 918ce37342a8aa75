import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { formatFindings } from '../config/format-findings.ts'
import type { LoadedFile, LoadedGateway } from '../config/load.ts'
import type { GatewayModel } from '../config/model.ts'
import type { Clock } from '../core/clock.ts'
import { systemClock } from '../core/clock.ts'
import { EnvironmentFault } from '../core/environment-fault.ts'
import { RestartPace } from '../gateway/restart-pace.ts'
import type { Io } from './command.ts'
import { exitCode } from './command.ts'

/** A process for one gateway, as `run --only NAME`. Its output is this process's. */
export type StartOne = (name: string) => ChildProcess

/**
 * Runs the gateways of a file in a process each, so that none can take another along. One whose configuration is at fault is
 * left out and said; one that dies is started again, ever later. Signals go to all. Resolves when all have ended.
 */
export async function runSeveral({ gateways }: LoadedFile, io: Io, start: StartOne = startProcess): Promise<number> {
  const good = gateways.filter((gateway): gateway is LoadedGateway & { model: GatewayModel } => gateway.model !== undefined)
  for (const gateway of gateways) {
    io.err(formatFindings(gateway.findings, io.folder))
    if (gateway.model === undefined) io.err(`velum: gateway ${gateway.name} is not started: its configuration is at fault\n`)
  }
  if (good.length === 0) return exitCode.input
  const taken = findSharedPort(good.map(({ model }) => model))
  if (taken !== undefined)
    throw new EnvironmentFault(`${taken}: they cannot run side by side on one machine; run one of them with --only NAME`)
  const fleet = new Processes(start, io, systemClock)
  for (const { name } of good) fleet.start(name)
  const names = gateways.map(({ name }) => name)
  const forward = (signal: NodeJS.Signals): void => fleet.signal(signal, names)
  for (const signal of signals) process.on(signal, forward)
  try {
    return await fleet.ended()
  } finally {
    for (const signal of signals) process.off(signal, forward)
  }
}

const signals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const

class Processes {
  readonly #start: StartOne
  readonly #io: Io
  readonly #clock: Clock
  /** By name, until it has ended for good. */
  readonly #codes = new Map<string, Promise<number>>()
  readonly #running = new Map<string, ChildProcess>()
  /** Ends the wait for a start. */
  readonly #waiting = new Set<() => void>()
  #isStopping = false

  constructor(start: StartOne, io: Io, clock: Clock) {
    this.#start = start
    this.#io = io
    this.#clock = clock
  }

  /** Passes a signal on; a reload is also one more try for those of `names` that do not run. */
  signal(signal: NodeJS.Signals, names: readonly string[]): void {
    if (signal !== 'SIGHUP') this.#isStopping = true
    for (const child of this.#running.values()) child.kill(signal)
    for (const end of this.#waiting) end()
    if (!this.#isStopping) for (const name of names) if (!this.#codes.has(name)) this.start(name)
  }

  start(name: string): void {
    this.#codes.set(
      name,
      this.#run(name).finally(() => this.#codes.delete(name)),
    )
  }

  /** Resolves when none runs any more, with the worst of the last exit codes. */
  async ended(): Promise<number> {
    let worst = 0
    while (this.#codes.size > 0) worst = Math.max(...(await Promise.all(this.#codes.values())))
    return worst
  }

  /** Keeps one gateway running until it ends in good order or all are stopped; resolves with its last exit code. */
  async #run(name: string): Promise<number> {
    const pace = new RestartPace(this.#clock, 1)
    let code = await this.#once(name)
    // A configuration or an environment that is at fault is not mended by another start; a death is.
    while (!this.#isStopping && code !== exitCode.done && code !== exitCode.input && code !== exitCode.usage) {
      const delayMs = pace.lost()
      this.#io.err(`velum: gateway ${name} ended (${code}); it is started again\n`)
      await this.#wait(Math.max(delayMs, leastDelayMs))
      if (!this.#isStopping) code = await this.#once(name)
    }
    if (!this.#isStopping) this.#io.err(`velum: gateway ${name} has ended (${code})\n`)
    return code
  }

  #once(name: string): Promise<number> {
    const child = this.#start(name)
    this.#running.set(name, child)
    return new Promise((resolve) => {
      const ended = (code: number): void => {
        this.#running.delete(name)
        resolve(code)
      }
      child.once('error', (error) => {
        this.#io.err(`velum: gateway ${name} cannot be started: ${error.message}\n`)
        ended(exitCode.environment)
      })
      // As a shell says it: 128 and more for a signal.
      child.once('exit', (code, signal) => ended(code ?? (signal === null ? exitCode.environment : killedCode)))
    })
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        timer.cancel()
        this.#waiting.delete(end)
        resolve()
      }
      const timer = this.#clock.after(ms, end)
      this.#waiting.add(end)
    })
  }
}

const killedCode = 128
const leastDelayMs = 1000

/** This very command again, for one gateway. */
function startProcess(name: string): ChildProcess {
  const args = [...process.execArgv, ...process.argv.slice(1), '--only', name]
  return spawn(process.execPath, args, { stdio: 'inherit' })
}

/** Says which port two gateways would both open; undefined when none. */
function findSharedPort(models: readonly GatewayModel[]): string | undefined {
  const owners = new Map<number, string>()
  for (const { name, listeners, admin, probes } of models) {
    const ports = new Set([...listeners, admin, probes].map((place) => place?.port ?? 0))
    for (const port of ports) {
      if (port === 0) continue
      const owner = owners.get(port)
      if (owner !== undefined) return `the gateways ${owner} and ${name} both open port ${port}`
      owners.set(port, name)
    }
  }
  return undefined
}
