// `npm run bench` runs all and writes RESULTS.md; `npm run bench -- CLAIM [--quick] [--seconds N] [--rounds N] [--only 'NAME;…'] [--scenario 'NAME;…']`
import { parseArgs } from 'node:util'
import { benchAll } from './all.ts'
import { benchBridges } from './bridges.ts'
import { benchCache } from './cache.ts'
import { benchH2 } from './h2.ts'
import { benchIdentity } from './identity.ts'
import { benchLimits } from './limits.ts'
import { benchMemory } from './memory.ts'
import { benchObserve } from './observe.ts'
import { benchProxy } from './proxy.ts'
import { benchReload } from './reload.ts'
import { benchReloadCpu } from './reload-cpu.ts'
import { benchResilience } from './resilience.ts'
import { benchScale } from './scale.ts'
import { benchValidation } from './validation.ts'

export interface BenchOptions {
  /** A look rather than a measurement. */
  readonly isQuick: boolean
  /** Length of one round, and how many there are for each contender. */
  readonly seconds: number
  readonly rounds: number
  /** Requests that a contender gets before it is measured, as far as eight rounds give them. */
  readonly warmupRequests: number
  /** Parts of contenders' and scenarios' names; none means all. */
  readonly only: readonly string[]
  readonly scenario: readonly string[]
  /** Whether a name is among those that were asked for. */
  matches(name: string, wanted: readonly string[]): boolean
}

const claims: Readonly<Record<string, (options: BenchOptions) => Promise<void>>> = {
  proxy: benchProxy,
  h2: benchH2,
  resilience: benchResilience,
  memory: benchMemory,
  identity: benchIdentity,
  limits: benchLimits,
  cache: benchCache,
  bridges: benchBridges,
  reload: benchReload,
  'reload-cpu': benchReloadCpu,
  validation: benchValidation,
  scale: benchScale,
  observe: benchObserve,
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    seconds: { type: 'string' },
    rounds: { type: 'string' },
    only: { type: 'string', default: '' },
    scenario: { type: 'string', default: '' },
  },
})
const list = (text: string): string[] =>
  text
    .split(';')
    .map((part) => part.trim().toLowerCase())
    .filter((part) => part !== '')
const options: BenchOptions = {
  isQuick: values.quick,
  seconds: Number(values.seconds ?? (values.quick ? 1 : 3)),
  rounds: Number(values.rounds ?? (values.quick ? 3 : 5)),
  warmupRequests: values.quick ? 20_000 : 60_000,
  only: list(values.only),
  scenario: list(values.scenario),
  matches: (name, wanted) => wanted.length === 0 || wanted.includes(name.toLowerCase()),
}
const unknown = positionals.filter((name) => !Object.hasOwn(claims, name))
if (unknown.length > 0) {
  console.error(
    `usage: npm run bench [-- ${Object.keys(claims).join('|')}] [--quick] [--seconds N] [--rounds N] [--only A;B] [--scenario A;B]`,
  )
  process.exit(2)
}
if (positionals.length === 0) await benchAll(Object.keys(claims), process.argv.slice(2))
for (const name of positionals) await claims[name](options)
