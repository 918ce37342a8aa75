import { openAdmin } from '../admin/admin.ts'
import type { Admin } from '../admin/admin.ts'
import type { LoadResult } from '../config/load.ts'
import type { GatewayModel } from '../config/model.ts'
import { systemClock } from '../core/clock.ts'
import { startGateway } from '../gateway/gateway.ts'
import type { Gateway, StopTimes } from '../gateway/gateway.ts'
import { LogFile } from '../gateway/log-file.ts'
import { OperationalLog } from '../gateway/operational-log.ts'
import { Reloader } from '../gateway/reloader.ts'
import { workerEntry } from '../gateway/worker-url.ts'

export interface ServeOptions {
  readonly first: LoadResult & { readonly model: GatewayModel }
  readonly load: () => Promise<LoadResult>
  readonly workers: number | 'auto'
  readonly env: NodeJS.ProcessEnv
  /** Where the operational log goes: `stderr` or a path. */
  readonly logFile: string
}

/** A gateway with its admin surface and its logs: the whole process. */
export interface Serving {
  readonly gateway: Gateway
  readonly admin: Admin
  readonly reloader: Reloader
  readonly log: OperationalLog
  /** Drains and closes everything. */
  stop(times: StopTimes): Promise<void>
}

/** Longest wait for the last lines of the operational log. */
const lastLinesMs = 1000

/** Starts everything. Rejects, leaving nothing open. */
export async function serve(options: ServeOptions): Promise<Serving> {
  const { first, load, workers, env } = options
  const clock = systemClock
  const file = new LogFile({ file: options.logFile, clock, dropped: () => {} })
  const log = new OperationalLog(file, first.model.log.level, first.model.name)
  const closeLog = async (): Promise<void> => {
    await Promise.race([file.flushed(), new Promise<void>((resolve) => void clock.after(lastLinesMs, resolve))])
    file.close()
  }
  let gateway: Gateway | undefined
  try {
    gateway = await startGateway({ model: first.model, workers, entry: workerEntry, clock, log })
    const running = gateway
    const reloader = new Reloader({ gateway, load, first, clock, log, committed: () => log.setLevel(running.model.log.level) })
    const admin = await openAdmin({ gateway, reloader, env, clock, log })
    if (admin.server !== undefined) gateway.announceAdmin(admin.server.url)
    // The data path lives in the workers: a fault of main's must not take it down.
    const survive = (error: unknown): void => log.error('something was thrown in the main thread where nobody caught it', { error })
    process.on('uncaughtException', survive)
    process.on('unhandledRejection', survive)
    return {
      gateway,
      admin,
      reloader,
      log,
      async stop(times) {
        log.info('the gateway stops', { ...times })
        await running.stop(times)
        await admin.close()
        log.info('the gateway has stopped')
        process.off('uncaughtException', survive)
        process.off('unhandledRejection', survive)
        await closeLog()
      },
    }
  } catch (thrown) {
    await gateway?.stop({ delayMs: 0, idleMs: 0, deadlineMs: 0 })
    await closeLog()
    throw thrown
  }
}
