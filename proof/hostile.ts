// `npm run hostile -- [--only 'NAME;…'] [--seconds N] [--rounds N]`
import { execFileSync } from 'node:child_process'
import { parseArgs } from 'node:util'
import { cleaningUp } from '../bench/support/cleanup.ts'
import type { Attack } from './hostile/attack.ts'
import { Child } from './hostile/child.ts'
import { judge, leastCalmMs } from './hostile/judge.ts'
import type { Measured } from './hostile/judge.ts'
import { attacks } from './hostile/list.ts'
import type { AttackOrder, AttackWord, HonestOrder, HonestWord, WindowSeen } from './hostile/messages.ts'
import { readProcess } from './hostile/readings.ts'
import type { Reading } from './hostile/readings.ts'
import type { Scene } from './hostile/scene.ts'
import { niceness, startScene } from './hostile/scene.ts'
import type { Promised } from './support/promises.ts'
import { printPromises } from './support/promises.ts'

const gatewayCore = '0'
const clientCore = '1'
const honestPerSecond = 200
/** How long an attack gets to unfold before its window opens. */
const unfoldMs = 400
/** How long the gateway may take to let go of what an attack left. */
const settleMs = 8000
/**
 * MiB that the gateway may have grown by in all. The threads' young generations and what the C library keeps of it for later: a
 * process that met a flood is larger than one that did not. That it is kept for use and not lost is shown by a second go.
 */
const wholeGrowthMib = 320
/** What an attack left behind that is looked at again, and by how much all of these may grow the gateway when they come again. */
const notableMib = 16
const againGrowthMib = 64

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    seconds: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '3' },
    list: { type: 'boolean', default: false },
  },
})
const windowMs = Number(values.seconds) * 1000
const rounds = Number(values.rounds)
const only = values.only.split(';').filter((name) => name !== '')
const wanted = attacks.filter(({ name }) => only.length === 0 || only.some((part) => name.includes(part.trim())))
type Honest = Child<HonestOrder, HonestWord>

if (values.list) for (const { name, does } of attacks) console.log(`${name.padEnd(24)} ${does}`)
else await cleaningUp(run)

async function run(t: { after(step: () => unknown): void }): Promise<void> {
  const scene = await startScene(t, gatewayCore, clientCore)
  const honest: Honest = new Child(new URL('hostile/honest.ts', import.meta.url), clientCore, niceness)
  t.after(() => honest.end())
  honest.tell({ kind: 'start', target: scene.target, perSecond: honestPerSecond })
  await honest.hear('started')
  await warmUp(honest)
  const lines: Promised[] = []
  const notable: Attack[] = []
  const atFirst = readOf(scene)
  for (const attack of wanted) {
    if (attack.needs !== undefined && !isThere(attack.needs)) {
      console.log(`${attack.name}: left out, since ${attack.needs} is not installed`)
      continue
    }
    const measured = await measure(attack, scene, honest)
    if (measured.after.rssMib - measured.before.rssMib >= notableMib) notable.push(attack)
    const line = judge(measured)
    console.log(`${line.holds ? 'holds ' : 'BROKEN'} ${attack.name}: ${line.seen}`)
    lines.push(line)
  }
  const afterFirst = readOf(scene)
  lines.push(await afterAll('all of them, one after the other', scene, atFirst, wholeGrowthMib))
  for (const attack of notable) await measure(attack, scene, honest)
  const again = `once more those that left ${notableMib} MiB or more: ${notable.map(({ name }) => name).join(', ')}`
  if (notable.length > 0) lines.push(await afterAll(again, scene, afterFirst, againGrowthMib))
  printPromises(
    `Hostile clients: honest traffic at ${honestPerSecond}/s over HTTP/1.1, TLS and HTTP/2 beside each attack (p99: medians of ${rounds} windows of ${values.seconds} s; calm counts as ${leastCalmMs} ms at least)`,
    lines,
  )
}

/** Until compilers and pools are what they are in service. */
async function warmUp(honest: Honest): Promise<void> {
  await pause(Math.min(3000, 2 * windowMs))
  await windowOf(honest, windowMs)
}

async function measure(attack: Attack, scene: Scene, honest: Honest): Promise<Measured> {
  const attacker = new Child<AttackOrder, AttackWord>(new URL('hostile/attacker.ts', import.meta.url), clientCore, 10)
  try {
    attacker.tell({ kind: 'prepare', target: scene.target, name: attack.name })
    await attacker.hear('prepared')
    await pause(200)
    const before = readOf(scene)
    const calm: WindowSeen[] = []
    const attacked: WindowSeen[] = []
    let [count, cutOff, calmCpuMs, attackedCpuMs, peakMib] = [0, 0, 0, 0, before.rssMib]
    for (let round = 0; round < rounds; round++) {
      calmCpuMs += await cpuOf(scene, async () => void calm.push(await windowOf(honest, windowMs)))
      attackedCpuMs += await cpuOf(scene, async () => {
        attacker.tell({ kind: 'go' })
        await pause(unfoldMs)
        attacked.push(await windowOf(honest, windowMs))
        peakMib = Math.max(peakMib, readOf(scene).rssMib)
        attacker.tell({ kind: 'stop' })
        const stopped = await attacker.hear('stopped')
        count += stopped.count
        cutOff += stopped.cutOff
        await pause(200)
      })
    }
    // The attacked part is longer by the time it unfolds in.
    calmCpuMs *= (windowMs + unfoldMs + 200) / windowMs
    const { does, unit, maxGrowthMib = 48 } = attack
    const after = await settled(scene, before)
    const damage = await scene.damage()
    return { does, unit, maxGrowthMib, calm, attacked, count, cutOff, attackedCpuMs, calmCpuMs, before, after, peakMib, damage }
  } finally {
    await attacker.end()
  }
}

async function windowOf(honest: Honest, ms: number): Promise<WindowSeen> {
  honest.tell({ kind: 'open' })
  await pause(ms)
  honest.tell({ kind: 'close' })
  return (await honest.hear('window')).seen
}

async function cpuOf(scene: Scene, meanwhile: () => Promise<void>): Promise<number> {
  const before = readOf(scene).cpuMs
  await meanwhile()
  return readOf(scene).cpuMs - before
}

/** Waits until connections are back where they were. */
async function settled(scene: Scene, before: Reading): Promise<Reading> {
  const deadline = performance.now() + settleMs
  for (;;) {
    const now = readOf(scene)
    if (now.strangers <= before.strangers || performance.now() > deadline) return now
    await pause(100)
  }
}

function readOf({ pid, target }: Scene): Reading {
  return readProcess(pid, [target.plainPort, target.tlsPort])
}

async function afterAll(done: string, scene: Scene, atFirst: Reading, mostGrowthMib: number): Promise<Promised> {
  const { rssMib } = readOf(scene)
  const damage = await scene.damage()
  const growthMib = rssMib - atFirst.rssMib
  return {
    done,
    promised: `no crash, no worker replaced, no uncaught error, RSS ≤ +${mostGrowthMib} MiB`,
    seen: `${damage === '' ? 'none' : damage} · RSS ${atFirst.rssMib.toFixed(0)} → ${rssMib.toFixed(0)} MiB`,
    holds: damage === '' && growthMib <= mostGrowthMib,
  }
}

function isThere(program: string): boolean {
  try {
    execFileSync('sh', ['-c', `command -v ${program}`], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, ms))
}
