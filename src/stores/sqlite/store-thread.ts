import { parentPort, workerData } from 'node:worker_threads'
import { BatchRunner } from './batch.ts'
import { StoreTaken } from './gateway-lock.ts'
import { openDatabase } from './open-database.ts'
import type { FromStoreThread, StoreThreadBirth, ToStoreThread } from './thread-messages.ts'

/**
 * The one thread that touches the database: three threads writing one file lose their time, or their writes, to locks.
 * Batches are answered in the order in which they came.
 */
const sweepMs = 1000
/** How soon it goes on when there was more to sweep, and how much of it holds up the calls at most. */
const sweepOnMs = 20
const sweepRows = 500

if (parentPort === null) throw new Error('this runs in a thread only')
const port = parentPort
const say = (message: FromStoreThread): void => port.postMessage(message)

function serve(): void {
  const db = openDatabase((workerData as StoreThreadBirth).file)
  const runner = new BatchRunner(db)
  let timer: NodeJS.Timeout
  const sweepIn = (delayMs: number): void => {
    timer = setTimeout(sweep, delayMs)
  }
  const sweep = (): void => {
    let count = 0
    try {
      count = runner.sweep(Date.now(), sweepRows)
    } catch {
      // The disk is full or failing: who calls is told so, and the sweep is tried again.
    }
    sweepIn(count < sweepRows ? sweepMs : sweepOnMs)
  }
  sweepIn(sweepMs)
  port.on('message', (message: ToStoreThread) => {
    if (message.kind === 'batch') return say({ kind: 'reply', ...runner.run(message) })
    clearTimeout(timer)
    db.close()
    port.close()
  })
  say({ kind: 'ready' })
}

try {
  serve()
} catch (thrown) {
  say({ kind: 'unusable', message: (thrown as Error).message, isTaken: thrown instanceof StoreTaken })
  port.close()
}
