import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { main } from '../../src/cli/main.ts'

const launcher = fileURLToPath(new URL('../../bin/velum.js', import.meta.url))
/** The launcher's own, when scripts/test.ts says them: what was compiled under them is found from the beginning. */
const launcherFlags = process.execArgv.filter((arg) => arg.startsWith('--max-inlined-'))

/** Who cleans up in the end: a test, or a bench. */
export interface Cleanup {
  after(step: () => unknown): void
}

/** A folder of its own for one test. */
export interface WorkFolder {
  readonly path: string
  write(name: string, text: string): string
}

export function workFolder(t: Cleanup): WorkFolder {
  const path = mkdtempSync(join(tmpdir(), 'velum-test-'))
  // What still runs there, and is killed afterwards, may be writing.
  t.after(() => rmSync(path, { recursive: true, force: true, maxRetries: 5 }))
  return {
    path,
    write(name, text) {
      writeFileSync(join(path, name), text)
      return join(path, name)
    },
  }
}

/** How a process of `velum` ended. */
export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly out: string
  readonly err: string
}

/** A running process of `velum`. */
export interface VelumProcess {
  readonly child: ChildProcess
  readonly out: string
  readonly err: string
  /** Resolves when this appears in what it printed to stderr; rejects when it ends before. */
  printed(pattern: RegExp): Promise<RegExpExecArray>
  /** The operational log, line by line, as far as it was printed. */
  log(): Record<string, unknown>[]
  kill(signal: NodeJS.Signals): void
  readonly ended: Promise<Ended>
}

export interface StartOptions {
  readonly folder: string
  readonly env?: NodeJS.ProcessEnv
  /** Arguments for node itself. */
  readonly nodeArgs?: readonly string[]
  /** What it reads from stdin; default: nothing. */
  readonly input?: string
  /** The launcher; default: that of the checkout. */
  readonly launcher?: string
}

/** Starts `velum` as a user would, through its launcher. It is killed at the end of the test if it still runs. */
export function startVelum(t: Cleanup, args: readonly string[], options: StartOptions): VelumProcess {
  const { VELUM_ADMIN_TOKEN: _, ...env } = process.env
  const child = spawn(process.execPath, [...launcherFlags, ...(options.nodeArgs ?? []), options.launcher ?? launcher, ...args], {
    cwd: options.folder,
    env: { ...env, ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  // A process that never reads its stdin may be gone before this is written.
  child.stdin.on('error', () => {})
  child.stdin.end(options.input ?? '')
  t.after(() => void child.kill('SIGKILL'))
  let out = ''
  let err = ''
  const watchers = new Set<() => void>()
  child.stdout.on('data', (text: Buffer) => {
    out += text.toString()
    for (const look of watchers) look()
  })
  child.stderr.on('data', (text: Buffer) => {
    err += text.toString()
    for (const look of watchers) look()
  })
  const ended = new Promise<Ended>((resolve) => {
    child.once('close', (code, signal) => resolve({ code, signal, out, err }))
  })
  return {
    child,
    ended,
    get out() {
      return out
    },
    get err() {
      return err
    },
    printed: (pattern) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const found = pattern.exec(err) ?? pattern.exec(out)
          if (found === null) return
          watchers.delete(look)
          resolve(found)
        }
        watchers.add(look)
        look()
        void ended.then((end) =>
          reject(new Error(`velum ended with ${end.code ?? end.signal} before it printed ${String(pattern)}: ${end.err}`)),
        )
      }),
    log: () =>
      err
        .split('\n')
        .filter((line) => line.startsWith('{') && line.endsWith('}'))
        .map((line) => JSON.parse(line) as Record<string, unknown>),
    kill: (signal) => void child.kill(signal),
  }
}

/** Runs one command to its end. */
export function runVelum(t: Cleanup, args: readonly string[], options: StartOptions): Promise<Ended> {
  return startVelum(t, args, options).ended
}

/**
 * Runs one command to its end within this process, which spares the start of another: what `runVelum` gives, but for what the
 * process around it does.
 */
export async function runCommand(
  args: readonly string[],
  { folder, env, input = '' }: Pick<StartOptions, 'folder' | 'env' | 'input'>,
): Promise<Ended> {
  const { VELUM_ADMIN_TOKEN: _, ...outer } = process.env
  const said = { out: '', err: '' }
  const code = await main(args, {
    out: (text) => void (said.out += text),
    err: (text) => void (said.err += text),
    env: { ...outer, ...env },
    folder,
    stdin: Readable.from([Buffer.from(input)]),
  })
  return { code, signal: null, ...said }
}

/** Where the listeners of a running gateway are, once it says that it is ready. */
export async function readyListeners(velum: VelumProcess): Promise<Record<string, string>> {
  const [line] = await velum.printed(/^\{.*"msg":"the gateway is ready".*\}$/m)
  return (JSON.parse(line) as { listeners: Record<string, string> }).listeners
}
