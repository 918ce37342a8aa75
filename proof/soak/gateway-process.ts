import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Cleanup } from '../../test/support/velum-process.ts'
import { leftFolderVariable } from './left-memory.ts'

/** The gateway under proof. Its access log is read and counted, not kept. */
export interface GatewayProcess {
  readonly pid: number
  /** Lines of the access log so far. */
  readonly accessLines: () => number
  /** Warnings and errors of the operational log, by their words, with their count and the latest line. */
  readonly complaints: ReadonlyMap<string, { count: number; readonly line: string }>
  /** When its store went away or came back, as it said, by `performance.now()`. */
  readonly storeEvents: readonly number[]
  /** Resolves when it has ended, in whatever way. */
  readonly ended: Promise<unknown>
  /** Ends it in the orderly way; gives its exit code. */
  stop(): Promise<number | null>
}

const adminToken = 'an-admin-token-of-the-soak-that-is-long-enough'
const storeWords = new Set(['the store does not answer', 'the store answers'])
/** As pino numbers it. */
const warning = 40

/** `leftFolder`: where its threads write what is left after they collected their garbage. */
export async function startGateway(cleanup: Cleanup, folder: string, workers: number, leftFolder: string): Promise<GatewayProcess> {
  const launcher = fileURLToPath(new URL('../../bin/velum.js', import.meta.url))
  const child = spawn(process.execPath, [launcher, 'run', '--workers', String(workers)], {
    cwd: folder,
    env: { ...process.env, VELUM_ADMIN_TOKEN: adminToken, NODE_OPTIONS: preloading(), [leftFolderVariable]: leftFolder },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const kill = (): void => void child.kill('SIGKILL')
  cleanup.after(kill)
  // However this process ends: a signal and what nobody caught do not wait for steps of cleaning up.
  process.once('exit', kill)
  const ended = once(child, 'exit')
  let lines = 0
  child.stdout.on('data', (bytes: Buffer) => {
    for (let at = bytes.indexOf(10); at !== -1; at = bytes.indexOf(10, at + 1)) lines++
  })
  const complaints = new Map<string, { count: number; line: string }>()
  const storeEvents: number[] = []
  const tail: string[] = []
  const ready = new Promise<void>((resolve, reject) => {
    createInterface(child.stderr).on('line', (line) => {
      tail.push(line)
      if (tail.length > 50) tail.shift()
      const entry = parsed(line)
      if (entry === undefined) return
      if (entry.msg === 'the gateway is ready') resolve()
      if (storeWords.has(entry.msg)) storeEvents.push(performance.now())
      if (entry.level < warning) return
      const known = complaints.get(entry.msg)
      complaints.set(entry.msg, { count: (known?.count ?? 0) + 1, line })
    })
    void ended.then(() => reject(new Error(`the gateway ended before it was ready:\n${tail.join('\n')}`)))
  })
  await ready
  return {
    pid: child.pid!,
    accessLines: () => lines,
    complaints,
    storeEvents,
    ended,
    async stop() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
      await ended
      return child.exitCode
    },
  }
}

function preloading(): string {
  const collector = new URL('collector.ts', import.meta.url).href
  return `${process.env['NODE_OPTIONS'] ?? ''} --import=${collector}`.trim()
}

function parsed(line: string): { readonly level: number; readonly msg: string } | undefined {
  try {
    return JSON.parse(line) as { level: number; msg: string }
  } catch {
    return undefined
  }
}

/** Calls of the admin API. */
export interface Admin {
  call(method: string, path: string, body?: unknown): Promise<{ readonly status: number; readonly text: string }>
}

export function adminOf(port: number): Admin {
  return {
    async call(method, path, body) {
      const response = await fetch(`http://127.0.0.1:${port}${path}`, {
        method,
        headers: { authorization: `Bearer ${adminToken}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(20_000),
      })
      return { status: response.status, text: await response.text() }
    },
  }
}
