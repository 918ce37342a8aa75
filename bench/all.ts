import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, release, totalmem } from 'node:os'
import { join } from 'node:path'
import { capacityPlan } from './capacity.ts'
import type { Scale } from './scale.ts'
import { plotsFolder, resultsFolder } from './support/files.ts'

/** A claim's run: how it was asked, what it printed, and how busy the machine was before it. */
interface Run {
  readonly claim: string
  readonly command: string
  readonly printed: string
  readonly failed: boolean
  readonly minutes: number
  readonly loadBefore: number
}

/**
 * Runs these claims, each in a process of its own, and writes RESULTS.md: machine, versions, commands, tables, plots, and
 * what a fleet could carry by them. A claim that fails stands there with what it said; the process then ends with 1.
 */
export async function benchAll(claims: readonly string[], flags: readonly string[]): Promise<void> {
  const runs: Run[] = []
  for (const claim of claims) {
    console.log(`\n── ${claim} ──`)
    runs.push(await runClaim(claim, flags))
    // After each, so that what a broken run has so far is not lost.
    writeFileSync(join(import.meta.dirname, 'RESULTS.md'), report(runs))
  }
  if (runs.some(({ failed }) => failed)) process.exitCode = 1
}

async function runClaim(claim: string, flags: readonly string[]): Promise<Run> {
  const loadBefore = loadavg()[0]
  const startedAt = performance.now()
  const child = spawn(process.execPath, [join(import.meta.dirname, 'run.ts'), claim, ...flags], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let printed = ''
  child.stdout.on('data', (bytes: Buffer) => {
    printed += bytes.toString()
    process.stdout.write(bytes)
  })
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  return {
    claim,
    command: ['npm run bench --', claim, ...flags].join(' '),
    printed: printed
      .split('\n')
      .filter((line) => !line.startsWith(resultsFolder))
      .join('\n')
      .trim(),
    failed: code !== 0,
    minutes: (performance.now() - startedAt) / 60_000,
    loadBefore,
  }
}

function report(runs: readonly Run[]): string {
  return `# Results

Written by \`npm run bench\`, not by hand. What each bench does, how to read it and what was tried: [README.md](README.md).
Ratios within a table come from one run, contenders in turn; absolute figures belong to this machine and this hour.

${machine()}
${busyMachine(runs)}
${runs.map(section).join('\n\n')}

${capacity()}
`
}

/** Said only where it is so: what load by others does to a run. */
function busyMachine(runs: readonly Run[]): string {
  const most = Math.max(...runs.map(({ loadBefore }) => loadBefore))
  if (most <= cpus().length) return ''
  return `
**The machine was busy with other work in this run (load up to ${most.toFixed(0)} on ${cpus().length} cores).** Whoever does more per wake-up
pays more for that, and latencies say little; take such a run for the shape of things and repeat it on a quiet machine.
`
}

function section({ claim, command, printed, failed, minutes, loadBefore }: Run): string {
  const plots = claim === 'scale' ? plotFiles().map((file) => `\n\n![${file.replace('.svg', '')}](plots/${file})`) : []
  return `## ${claim}

\`${command}\` · ${minutes.toFixed(1)} minutes · load before it ${loadBefore.toFixed(1)}${failed ? ' · **failed**' : ''}

\`\`\`text
${printed}
\`\`\`${plots.join('')}`
}

function machine(): string {
  const rows = [
    ['date', new Date().toISOString().slice(0, 10)],
    ['commit', first(run('git', ['rev-parse', '--short', 'HEAD']))],
    ['processor', `${cpus()[0]?.model ?? 'unknown'}, ${cpus().length} cores`],
    ['memory', `${(totalmem() / 2 ** 30).toFixed(0)} GiB`],
    ['kernel', release()],
    ['Node.js', process.version],
    ['nginx', first(run('/usr/sbin/nginx', ['-v']))],
    ['HAProxy', first(run('/usr/sbin/haproxy', ['-v']))],
    ['Varnish', first(run('/usr/sbin/varnishd', ['-V']))],
    ['Redis', first(run('redis-server', ['--version']))],
    ['wrk', first(run('wrk', ['-v']))],
    ['h2load', first(run('h2load', ['--version']))],
  ]
  return `| | |\n|---|---|\n${rows.map(([name, value]) => `| ${name} | ${value} |`).join('\n')}`
}

function run(command: string, args: readonly string[]): string {
  const { stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', cwd: import.meta.dirname })
  return `${stdout ?? ''}${stderr ?? ''}`
}

function first(text: string): string {
  return text.trim().split('\n')[0] || 'not here'
}

function plotFiles(): string[] {
  if (!existsSync(plotsFolder)) return []
  return readdirSync(plotsFolder)
    .filter((file) => file.endsWith('.svg'))
    .toSorted()
}

interface ProxyResults {
  readonly results: Readonly<
    Record<string, readonly { readonly peer: string; readonly cpuMicros: number; readonly rssBytes: number }[]>
  >
}

interface MemoryResults {
  readonly results: readonly { readonly what: string; readonly measured: number }[]
}

/** Reckoned from the latest results of three claims; nothing where one of them was never measured. */
function capacity(): string {
  const proxy = latest('proxy') as ProxyResults | undefined
  const memory = latest('memory') as MemoryResults | undefined
  const scale = (latest('scale') as { readonly results: Scale } | undefined)?.results
  const loaded = proxy?.results['bearer, GET 130 B, TLS']?.find(({ peer }) => peer === 'velum, policies')
  const idle = memory?.results.find(({ what }) => what.includes('idle connections'))
  if (loaded === undefined || idle === undefined || scale === undefined || scale.store.length === 0) return ''
  return capacityPlan({
    requestMicros: loaded.cpuMicros,
    processBytes: loaded.rssBytes,
    connectionBytes: idle.measured * 1024,
    limiterKeyBytes: scale.limiterKeys.at(-1)!.bytesEach,
    sessionBytes: scale.sessions.at(-1)!.bytesEach,
    exactMicros: scale.store[0].storeMicros,
    leasedMicros: scale.store.at(-1)!.storeMicros,
  })
}

function latest(claim: string): unknown {
  const file = readdirSync(resultsFolder)
    .filter((name) => name.startsWith(`${claim}-2`))
    .toSorted()
    .at(-1)
  return file === undefined ? undefined : JSON.parse(readFileSync(join(resultsFolder, file), 'utf8'))
}
