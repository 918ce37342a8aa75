import { loadGateway } from '../config/load.ts'
import type { Gateway } from '../gateway/gateway.ts'
import { parseDuration } from '../lib/duration.ts'
import type { Arguments, Command } from './command.ts'
import { configOption, exitCode, textOption, UsageError } from './command.ts'
import { loadModel } from './load-model.ts'
import { serve } from './serve.ts'
import type { Serving } from './serve.ts'
import { echoHeard, onSignals } from './signals.ts'

export const runCommand: Command = {
  usage: '[--config FILE] [--workers N|auto] [--shutdown-delay TIME] [--shutdown-deadline TIME]',
  options: {
    config: configOption,
    workers: { type: 'string', short: 'w', value: 'N|auto', help: 'Worker threads. Default: auto, one per core.' },
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
    const first = await loadModel(args, io)
    if (first === undefined) return exitCode.input
    const load = (): ReturnType<typeof loadGateway> =>
      loadGateway(textOption(args, 'config'), { folder: io.folder, env: io.env, print: io.err })
    const serving = await serve({ first, load, workers, env: io.env, logFile: 'stderr' })
    announce(serving)
    return untilStopped(serving, delayMs, deadlineMs)
  },
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
