import { constants, getPriority, setPriority } from 'node:os'
import { parentPort } from 'node:worker_threads'
import { hashSync, verifySync } from '@node-rs/argon2'
import type { HashResult, HashTask } from './hash-messages.ts'

/**
 * A thread that hashes passwords, one at a time. The synchronous calls stay on it: libuv's pool, which files and names are
 * read by, is never filled with hashing.
 */
if (parentPort === null) throw new Error('this runs in a thread only')
const port = parentPort
/** In steps of `nice`: about a tenth of what a thread of the usual priority gets where both want the same core. */
const lessUrgent = 10
/** `Algorithm.Argon2id`; the package's enum exists for its types only. */
const argon2id = 2

// A flood of logins takes what requests leave over. On Linux 0 means this thread; elsewhere it would be the whole process.
if (process.platform === 'linux') yieldToRequests()

function yieldToRequests(): void {
  try {
    setPriority(0, Math.min(constants.priority.PRIORITY_LOW, getPriority(0) + lessUrgent))
  } catch {
    // A sandbox may forbid it: then this thread is as urgent as all others.
  }
}

function run(task: HashTask): HashResult {
  try {
    if (task.kind === 'verify') return { value: verifySync(task.phc, task.password) }
    const { memoryKib, passes, lanes } = task.cost
    return {
      value: hashSync(task.password, { algorithm: argon2id, memoryCost: memoryKib, timeCost: passes, parallelism: lanes }),
    }
  } catch (thrown) {
    return { error: thrown instanceof Error ? thrown.message : String(thrown) }
  }
}

port.on('message', (task: HashTask) => port.postMessage(run(task)))
