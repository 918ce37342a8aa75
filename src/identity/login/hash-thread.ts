import { parentPort } from 'node:worker_threads'
import { hashSync, verifySync } from '@node-rs/argon2'
import { yieldToRequests } from '../../lib/yield-to-requests.ts'
import type { HashResult, HashTask } from './hash-messages.ts'

/**
 * A thread that hashes passwords, one at a time. The synchronous calls stay on it: libuv's pool, which files and names are
 * read by, is never filled with hashing.
 */
if (parentPort === null) throw new Error('this runs in a thread only')
const port = parentPort
/** `Algorithm.Argon2id`; the package's enum exists for its types only. */
const argon2id = 2

// A flood of logins takes what requests leave over: about a tenth of a core that both want.
yieldToRequests(10)

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
