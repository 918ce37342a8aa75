import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { openSync, closeSync, readFileSync, readdirSync } from 'node:fs'
import { connect } from 'node:net'

/** A server under measurement or a helper of the bench, with everything it starts. */
export interface Running {
  readonly pid: number
  /** Ends it and waits for its end. */
  stop(): Promise<void>
}

export interface StartOptions {
  /** The cores it may use: `0`, `1`, `0,1`. */
  readonly cores: string
  /** A file for what it prints. */
  readonly output: string
  /** It is ready when this port answers. */
  readonly port: number
  readonly env?: Record<string, string>
}

const live = new Set<ChildProcess>()
process.on('exit', () => {
  // With all they started: workers of a master that is killed live on alone.
  for (const child of live) for (const pid of treeOf(child.pid!)) kill(pid)
})
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130))

/** Starts a server on these cores and waits until its port answers. Rejects, with what it printed, when it ends before. */
export async function startServer(command: string, args: readonly string[], options: StartOptions): Promise<Running> {
  const output = openSync(options.output, 'w')
  const child = spawn('taskset', ['-c', options.cores, command, ...args], {
    stdio: ['ignore', output, output],
    env: { ...process.env, ...options.env },
  })
  closeSync(output)
  live.add(child)
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  void ended.then(() => live.delete(child))
  const deadline = Date.now() + 20_000
  while (!(await answers(options.port))) {
    if (child.exitCode !== null || child.signalCode !== null || Date.now() > deadline) {
      child.kill('SIGKILL')
      throw new Error(`${command} did not start:\n${readFileSync(options.output, 'utf8').slice(-2000)}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  return {
    pid: child.pid!,
    async stop() {
      const pids = treeOf(child.pid!)
      child.kill('SIGTERM')
      const timer = setTimeout(() => {
        for (const pid of pids) kill(pid)
      }, 3000)
      await ended
      clearTimeout(timer)
    },
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended by itself.
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const { createServer } = await import('node:net')
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise<void>((resolve) => server.close(() => resolve()))
  return port
}

/** The process and all its descendants. */
function treeOf(pid: number): number[] {
  const children = new Map<number, number[]>()
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    const fields = statOf(Number(entry))
    if (fields === undefined) continue
    const parent = Number(fields[1])
    children.set(parent, [...(children.get(parent) ?? []), Number(entry)])
  }
  const tree = [pid]
  for (const each of tree) tree.push(...(children.get(each) ?? []))
  return tree
}

/** Fields of /proc/PID/stat from the state on; undefined when the process is gone. */
function statOf(pid: number): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return text.slice(text.lastIndexOf(')') + 2).split(' ')
  } catch {
    return undefined
  }
}

/** CPU time of a process tree so far, user and system, all threads, in microseconds. */
export function cpuMicros(pid: number): number {
  let nanos = 0
  for (const each of treeOf(pid)) {
    try {
      // By thread and in nanoseconds: /proc/PID/stat counts in ticks of 10 ms.
      for (const thread of readdirSync(`/proc/${each}/task`)) {
        nanos += Number(readFileSync(`/proc/${each}/task/${thread}/schedstat`, 'latin1').split(' ')[0])
      }
    } catch {
      // A thread ended between two readings.
    }
  }
  return nanos / 1000
}

/** Resident memory of a process tree, in bytes. */
export function residentBytes(pid: number): number {
  let pages = 0
  for (const each of treeOf(pid)) {
    const fields = statOf(each)
    if (fields !== undefined) pages += Number(fields[21])
  }
  return pages * 4096
}
