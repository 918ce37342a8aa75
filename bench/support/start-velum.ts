import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Running, StartOptions } from './processes.ts'
import { startServer } from './processes.ts'

const launcher = join(import.meta.dirname, '../../bin/velum.js')

export interface VelumStart extends Omit<StartOptions, 'output'> {
  /** Gets the configuration as `velum.json`, and what Velum prints; made where it is not there. */
  readonly folder: string
  readonly config: unknown
  /** Default: 1. */
  readonly workers?: number
}

/** Velum as its users start it. `VELUM_BENCH_PROFILE=1` leaves V8 profiles of all threads in its folder. */
export function startVelum({ folder, config, workers = 1, ...options }: VelumStart): Promise<Running> {
  mkdirSync(folder, { recursive: true })
  const file = join(folder, 'velum.json')
  writeFileSync(file, JSON.stringify(config, undefined, 2))
  const profile = process.env['VELUM_BENCH_PROFILE'] === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${folder}`]
  const args = [...profile, launcher, 'run', '--config', file, '--workers', String(workers)]
  return startServer(process.execPath, args, { ...options, output: join(folder, 'output') })
}
