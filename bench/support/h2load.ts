import { spawn } from 'node:child_process'

export interface H2Load {
  readonly url: string
  readonly seconds: number
  readonly connections: number
  /** Streams at a time on each connection. */
  readonly streams: number
  readonly cores: string
  readonly headers?: readonly string[]
  /** A file that is the body of every request. */
  readonly bodyPath?: string
  /** HTTP/1.1 instead; `streams` must be 1. */
  readonly isHttp1?: boolean
  /** Requests of this time, and the handshakes before them, are not counted. */
  readonly warmUpSeconds?: number
  /** Told when counting begins and when it is over. */
  readonly counting?: (phase: 'began' | 'over') => void
}

/** What one round of h2load saw. Latencies in microseconds. */
export interface H2LoadResult {
  readonly requests: number
  readonly requestsPerSecond: number
  readonly mean: number
  readonly max: number
  /** Answers of 4xx and 5xx, and streams that broke; those under way when the time was over are none. */
  readonly errors: number
}

/** How long h2load may take to begin and to end beyond its load, and how often it is started when it does not end. */
const graceSeconds = 30
const tries = 3

/**
 * Runs h2load. Rejects when it cannot run or prints nothing usable. With HTTP/1.1 it sometimes says that it has stopped all
 * clients and goes on with some of them for ever (1.52): then it is started again.
 */
export async function runH2load(load: H2Load): Promise<H2LoadResult> {
  for (let left = tries; ; left--) {
    const printed = await printedBy(load)
    if (printed.hasEnded || left === 1) return resultIn(printed.text, load.url)
  }
}

async function printedBy(load: H2Load): Promise<{ readonly text: string; readonly hasEnded: boolean }> {
  const { url, seconds, connections, streams, cores, warmUpSeconds = 0, counting } = load
  const args = ['-c', cores, 'h2load', `-D${seconds}`, '-t1', `-c${connections}`, `-m${streams}`]
  for (const header of load.headers ?? []) args.push('-H', header)
  if (load.isHttp1 === true) args.push('--h1')
  if (warmUpSeconds > 0) args.push(`--warm-up-time=${warmUpSeconds}`)
  if (load.bodyPath !== undefined) args.push('-d', load.bodyPath)
  const child = spawn('taskset', [...args, url], { stdio: ['ignore', 'pipe', 'pipe'] })
  let printed = ''
  child.stdout.on('data', (bytes: Buffer) => {
    const text = bytes.toString()
    printed += text
    if (text.includes('Main benchmark duration is started')) counting?.('began')
    if (text.includes('Main benchmark duration is over')) counting?.('over')
  })
  child.stderr.on('data', (bytes: Buffer) => (printed += bytes.toString()))
  const timer = setTimeout(() => child.kill('SIGKILL'), (warmUpSeconds + seconds + graceSeconds) * 1000)
  const signal = await new Promise<NodeJS.Signals | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (_code, endedBy) => resolve(endedBy))
  })
  clearTimeout(timer)
  return { text: printed, hasEnded: signal === null }
}

function resultIn(printed: string, url: string): H2LoadResult {
  const finished = /finished in [\d.]+\w+, ([\d.]+) req\/s/.exec(printed)
  const counts = /(\d+) done, (\d+) succeeded, (\d+) failed, (\d+) errored/.exec(printed)
  const codes = /status codes: \d+ 2xx, \d+ 3xx, (\d+) 4xx, (\d+) 5xx/.exec(printed)
  const times = /time for request:\s+(\S+)\s+(\S+)\s+(\S+)/.exec(printed)
  if (finished === null || counts === null || codes === null || times === null) {
    throw new Error(`h2load gave no result for ${url}:\n${printed.slice(-1000)}`)
  }
  return {
    requests: Number(counts[1]),
    requestsPerSecond: Number(finished[1]),
    mean: micros(times[3]),
    max: micros(times[2]),
    errors: Number(counts[4]) + Number(codes[1]) + Number(codes[2]),
  }
}

function micros(text: string): number {
  const value = Number.parseFloat(text)
  if (text.endsWith('us')) return value
  return text.endsWith('ms') ? value * 1000 : value * 1_000_000
}
