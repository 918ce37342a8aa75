import { parseArgs } from 'node:util'
import { cleaningUp } from '../bench/support/cleanup.ts'
import { faults } from './fleet/faults.ts'
import { inPrivateNetwork, isPrivate } from './fleet/private-network.ts'
import { runFault } from './fleet/run-fault.ts'
import { scenes, startScene } from './fleet/scene.ts'
import { redisBinary } from './fleet/single-store.ts'
import { printPromises } from './support/promises.ts'
import type { Promised } from './support/promises.ts'

/** Until there is a release before this one: an earlier commit that starts as it stands. */
const defaultOlder = '58179dcf39b8'

const usage = `node proof/fleet.ts [--only NAME[,NAME…]] [--seconds N] [--older REVISION]

Three gateways on one Redis, or on a cluster, under honest traffic of many kinds and one fault after the other.
  --only     ${faults.map(({ name }) => name).join(', ')}
  --seconds  how long a fault lasts (4)
  --older    the version beside this one (${defaultOlder})`

async function prove(only: readonly string[], seconds: number, older: string): Promise<void> {
  const chosen = faults.filter(({ name }) => only.length === 0 || only.includes(name))
  const lines: Promised[] = []
  let means = 'no partition'
  for (const name of scenes) {
    const ofScene = chosen.filter(({ scene }) => scene === name)
    if (ofScene.length === 0) continue
    const proven = cleaningUp(async (t) => {
      const scene = await startScene(t, name, older)
      if (scene === undefined) return
      means = scene.links?.means ?? means
      for (const fault of ofScene) {
        const startedAt = performance.now()
        lines.push(...(await runFault(t, scene, fault, { beforeMs: 3000, duringMs: seconds * 1000, afterMs: 8000 })))
        console.log(`${fault.name}: ${((performance.now() - startedAt) / 1000).toFixed(1)} s`)
      }
    })
    // What others have shown is worth its table.
    await proven.catch((thrown: unknown) => {
      console.error(thrown)
      lines.push({ done: `faults of the scene ${name}`, promised: 'are all gone through', seen: String(thrown), holds: false })
    })
  }
  printPromises(`A fleet of three under faults (ways to the store: ${means})`, lines)
}

const { values } = parseArgs({
  options: { only: { type: 'string' }, seconds: { type: 'string' }, older: { type: 'string' }, help: { type: 'boolean' } },
})
const only = values.only?.split(',') ?? []
const unknown = only.filter((name) => !faults.some((fault) => fault.name === name))
if (values.help === true || unknown.length > 0) {
  if (unknown.length > 0) console.error(`there is no fault ${unknown.join(', ')}`)
  console.log(usage)
  process.exitCode = unknown.length > 0 ? 2 : 0
} else if (redisBinary === undefined) {
  console.error('there is no redis-server or valkey-server on this machine: nothing can be shown')
  process.exitCode = 1
} else {
  const code = isPrivate ? undefined : await inPrivateNetwork()
  if (code === undefined) await prove(only, Number(values.seconds ?? 4), values.older ?? defaultOlder)
  else process.exitCode = code
}
