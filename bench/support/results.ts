import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { resultsFolder } from './files.ts'

/** Writes what one run measured to `bench/results`, with the machine and how it was asked, and says where. */
export function saveResults(claim: string, facts: object, results: unknown): void {
  mkdirSync(resultsFolder, { recursive: true })
  const at = new Date().toISOString()
  const file = join(resultsFolder, `${claim}-${at.replaceAll(/[:.]/g, '-')}.json`)
  const machine = { cpu: cpus()[0]?.model, cores: cpus().length, node: process.version }
  writeFileSync(file, `${JSON.stringify({ at, machine, ...facts, results }, undefined, 2)}\n`)
  console.log(`\n${file}`)
}
