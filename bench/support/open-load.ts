import { spawn } from 'node:child_process'
import { join } from 'node:path'

export interface OpenLoad {
  readonly port: number
  readonly path: string
  /** Requests a second, sent by the clock. */
  readonly rate: number
  readonly seconds: number
  readonly cores: string
}

/** What the client saw; latencies in microseconds, rising. */
export interface OpenResult {
  readonly answered: number
  readonly failed: number
  readonly rising: readonly number[]
}

const client = join(import.meta.dirname, '../peers/open-client.ts')

/** Sends requests by the clock, as many people do who know nothing of each other: a wait of one makes none of the others wait. */
export async function runOpen({ port, path, rate, seconds, cores }: OpenLoad): Promise<OpenResult> {
  const args = ['-c', cores, process.execPath, client, String(port), path, String(rate), String(seconds)]
  const child = spawn('taskset', args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let printed = ''
  child.stdout.on('data', (bytes: Buffer) => (printed += bytes.toString()))
  await new Promise<void>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', () => resolve())
  })
  return JSON.parse(printed) as OpenResult
}
