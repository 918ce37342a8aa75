import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Collects garbage, twice: what survives once is only then old. */
export function collectGarbage(): void {
  collect()
  collect()
}
