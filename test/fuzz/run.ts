import { parseArgs } from 'node:util'
import type { Promised } from '../../proof/support/promises.ts'
import { printPromises } from '../../proof/support/promises.ts'
import { fuzzRequests } from './differential.ts'
import { runTarget } from './run-target.ts'
import type { FuzzTarget } from './fuzz-target.ts'

// Fuzzing of every parser: `npm run fuzz -- --seconds 600 [--only NAME] [--seed N]`. Exit 1 on a broken promise. A third of the
// time goes to requests of HTTP/1.1, which are compared with what other servers read. A case that takes longer than --hang
// seconds is named, and its target ended. --targets names another module of targets: for the test of this command.
const requests = 'http/1.1 requests'
const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string' },
    only: { type: 'string' },
    hang: { type: 'string', default: '10' },
    targets: { type: 'string', default: 'targets/list.ts' },
  },
})
const list = new URL(values.targets, import.meta.url).href
const { fuzzTargets } = (await import(list)) as { readonly fuzzTargets: readonly FuzzTarget[] }
const names = [requests, ...fuzzTargets.map(({ name }) => name)]
const hangMs = Number(values.hang) * 1000
const seconds = Number(values.seconds)
const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed)
const { only } = values
if (!(seconds > 0) || !(hangMs > 0) || !Number.isInteger(seed) || (only !== undefined && !names.includes(only))) {
  console.error(`usage: npm run fuzz -- --seconds N [--seed N] [--only NAME]\nNAME: ${names.join(' | ')}`)
  process.exit(2)
}

console.log(`seed ${seed}, ${seconds} s`)
const lines: Promised[] = []
const chosen = fuzzTargets.filter(({ name }) => only === undefined || only === name)
const totalMs = seconds * 1000
const requestsMs = only === requests ? totalMs : only === undefined && values.targets === 'targets/list.ts' ? totalMs / 3 : 0
if (requestsMs > 0) lines.push(await fuzzRequests(seed, requestsMs))
for (const target of chosen) {
  lines.push(await runTarget(target, { seed, forMs: (totalMs - requestsMs) / chosen.length, hangMs, list }))
}
printPromises('Fuzzing: what parsers promise of hostile input', lines)
