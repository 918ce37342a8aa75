// `npm run models [-- --only NAME,…]`
import { parseArgs } from 'node:util'
import { models } from './models/list.ts'
import type { Promised } from './support/promises.ts'
import { printPromises } from './support/promises.ts'

const { values } = parseArgs({ options: { only: { type: 'string', default: '' } } })
const only = values.only.split(',').filter((name) => name !== '')
const lines: Promised[] = []
for (const [name, model] of Object.entries(models)) {
  if (only.length > 0 && !only.includes(name)) continue
  const began = performance.now()
  lines.push(...(await model(false)))
  console.log(`${name}: ${((performance.now() - began) / 1000).toFixed(1)} s`)
}
printPromises('Models: every order of events, to a bound, against the real code', lines)
