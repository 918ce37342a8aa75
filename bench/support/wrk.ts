import { spawn } from 'node:child_process'

export interface Load {
  readonly url: string
  readonly seconds: number
  readonly connections: number
  /** The cores that the client may use. */
  readonly cores: string
  /** A Lua script, with its arguments. */
  readonly script: string
  readonly scriptArgs?: readonly string[]
}

/** What one round of wrk saw. Latencies in microseconds, with the client's own queueing in them. */
export interface LoadResult {
  readonly requests: number
  readonly seconds: number
  readonly bytes: number
  readonly p50: number
  readonly p99: number
  /** Answers other than 2xx and 3xx, and connections that failed. */
  readonly errors: number
}

/** Runs wrk once. Rejects when it cannot run or prints nothing usable. */
export async function runWrk(load: Load): Promise<LoadResult> {
  const args = [
    '-c',
    load.cores,
    'wrk',
    '-t1',
    `-c${load.connections}`,
    `-d${load.seconds}s`,
    '--timeout',
    '10s',
    '-s',
    load.script,
    load.url,
  ]
  if (load.scriptArgs !== undefined) args.push('--', ...load.scriptArgs)
  const child = spawn('taskset', args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let printed = ''
  child.stdout.on('data', (bytes: Buffer) => (printed += bytes.toString()))
  child.stderr.on('data', (bytes: Buffer) => (printed += bytes.toString()))
  await new Promise<void>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', () => resolve())
  })
  const line = /^bench (.*)$/m.exec(printed)
  if (line === null) throw new Error(`wrk gave no result for ${load.url}:\n${printed.slice(-1000)}`)
  const [requests, micros, bytes, p50, p99, status, connect, read, write, timeout] = line[1].split(' ').map(Number)
  return { requests, seconds: micros / 1e6, bytes, p50, p99, errors: status + connect + read + write + timeout }
}
