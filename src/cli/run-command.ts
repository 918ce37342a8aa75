import { createBackgroundLoader } from '../config/background-loader.ts'
import { formatFindings } from '../config/format-findings.ts'
import type { LoadResult } from '../config/load.ts'
import { ConfigWatch } from '../config/watch.ts'
import { systemClock } from '../core/clock.ts'
import type { Gateway } from '../gateway/gateway.ts'
import { parseDuration } from '../lib/duration.ts'
import type { Arguments, Command, Io } from './command.ts'
import { configOption, exitCode, onlyOption, textOption, UsageError } from './command.ts'
import { loadModels, loadOptions } from './load-model.ts'
import { runSeveral } from './run-several.ts'
import { serve } from './serve.ts'
import type { Serving } from './serve.ts'
import { echoHeard, onSignals } from './signals.ts'

export const runCommand: Command = {
  usage: '[--config FILE] [--only NAME] [--workers N|auto] [--watch] [--shutdown-delay TIME] [--shutdown-deadline TIME]',
  options: {
    config: configOption,
    only: {
      ...onlyOption,
      help: 'The only gateway that is run, where the configuration holds several. Default: all, in a process each.',
    },
    workers: { type: 'string', short: 'w', value: 'N|auto', help: 'Worker threads. Default: auto, one per core.' },
    watch: { type: 'boolean', help: 'Load the configuration again whenever it, or a file that it is made of, has changed.' },
    'shutdown-delay': {
      type: 'string',
      value: 'TIME',
      help: 'After SIGTERM, how long to go on serving while not ready, so that load balancers notice. Default: 3s; Ctrl-C does not wait.',
    },
    'shutdown-deadline': {
      type: 'string',
      value: 'TIME',
      help: 'How long open connections get to end before they are cut. Default: 30s.',
    },
  },
  maxPositionals: 0,
  async run(args, io) {
    const workers = workersOption(args)
    const delayMs = durationOption(args, 'shutdown-delay', '3s')
    const deadlineMs = durationOption(args, 'shutdown-deadline', '30s')
    const first = await loadModels(args, io)
    if (first === undefined) return exitCode.input
    if ('gateways' in first) return runSeveral(first, io)
    let { files } = first
    const options = { ...loadOptions(args, io), print: io.err, clock: systemClock }
    const loader = createBackgroundLoader({ ...options, file: textOption(args, 'config') })
    const load = async (): Promise<LoadResult> => {
      const loaded = await loader.load()
      // One that failed may have come to its end before it read all: what was watched stays.
      files = loaded.model === undefined ? [...files, ...loaded.files] : loaded.files
      return loaded
    }
    const serving = await serve({ first, load, workers, env: io.env, logFile: 'stderr' })
    // Heard before anybody is told that the gateway is ready: whoever reads that may stop it at once.
    const stopped = untilStopped(serving, delayMs, deadlineMs)
    announce(serving)
    const watch = args.options['watch'] === true ? await watching(serving, first.files, () => files, io) : undefined
    try {
      return await stopped
    } finally {
      watch?.close()
      loader.close()
    }
  },
}

/** Loads again what has changed. What fails changes nothing, and is printed for whoever edits. */
function watching(
  { reloader }: Serving,
  files: readonly string[],
  filesNow: () => readonly string[],
  io: Io,
): Promise<ConfigWatch> {
  return ConfigWatch.open({
    clock: systemClock,
    files,
    changed: async () => {
      const { isCommitted, findings, failure } = await reloader.reload()
      io.err(formatFindings(findings, io.folder))
      if (failure !== undefined) io.err(`velum: ${failure}\n`)
      if (!isCommitted) io.err('velum: the configuration of before goes on\n')
      return filesNow()
    },
  })
}

/** Serves until a signal says otherwise. Resolves with the exit code, when nothing is left. */
export function untilStopped(serving: Serving, delayMs: number, deadlineMs: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const stop = (isInteractive: boolean): void => {
      const times = isInteractive ? { delayMs: 0, idleMs: 100 } : { delayMs, idleMs: 1000 }
      const stopped = Promise.all([serving.stop({ ...times, deadlineMs }), isInteractive ? echoHeard() : undefined])
      void stopped.then(() => exitCode.done).then(resolve, reject)
    }
    const { gateway, reloader } = serving
    onSignals({ stop, cut: () => void gateway.cut(), reload: () => void reloader.reload() }, () => performance.now())
  })
}

function announce({ gateway, admin, log }: Serving): void {
  log.info('the gateway is ready', {
    name: gateway.model.name,
    listeners: listenerUrls(gateway),
    admin: admin.server?.url,
    probes: admin.probes?.url,
    tokenFile: admin.tokens?.adminFile,
    workers: gateway.workers.length,
    generation: gateway.generation.hash,
  })
}

/** Where each listener is reached. */
export function listenerUrls(gateway: Gateway): Record<string, string> {
  return Object.fromEntries(
    gateway.model.listeners.map(({ name, host, port, tls }) => {
      const shown = host.includes(':') ? `[${host}]` : host
      return [name, `${tls === undefined ? 'http' : 'https'}://${shown}:${port}`]
    }),
  )
}

function workersOption(args: Arguments): number | 'auto' {
  const text = textOption(args, 'workers') ?? 'auto'
  if (text === 'auto') return 'auto'
  const workers = Number(text)
  if (!/^\d{1,3}$/.test(text) || workers < 1)
    throw new UsageError(`--workers takes a number from 1 to 999, or "auto", not ${JSON.stringify(text)}`)
  return workers
}

function durationOption(args: Arguments, name: string, otherwise: string): number {
  const text = textOption(args, name) ?? otherwise
  try {
    return parseDuration(text)
  } catch (thrown) {
    throw new UsageError(`--${name}: ${(thrown as Error).message}`)
  }
}
