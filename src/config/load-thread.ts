import { parentPort } from 'node:worker_threads'
import { atOnce } from '../core/in-slices.ts'
import { yieldToRequests } from '../lib/yield-to-requests.ts'
import { CheckMemory } from './check-memory.ts'
import type { LoadTask, LoadWord } from './load-messages.ts'
import { loadGateway } from './load.ts'
import type { GatewayModel } from './model.ts'
import { packing, sharing } from './packed-model.ts'

/** A thread that loads and checks configurations, one at a time. Thousands of routes take a while; main has sessions to look up. */
if (parentPort === null) throw new Error('this runs in a thread only')
const port = parentPort
// A quarter of a core that both want: whoever reloads waits for it.
yieldToRequests(5)

const memory = new CheckMemory()
let last: GatewayModel | undefined

async function run({ file, env, before, ...options }: LoadTask): Promise<LoadWord> {
  try {
    const print = (text: string): void => port.postMessage({ kind: 'printed', text } satisfies LoadWord)
    const { model, ...result } = await loadGateway(file, { ...options, env: env ?? process.env, print, memory })
    if (model === undefined) return { kind: 'loaded', result, model: undefined }
    const known = last?.hash === before ? last : undefined
    last = known === undefined ? model : sharing(model, known)
    return { kind: 'loaded', result, model: atOnce(packing(last, known)) }
  } catch (thrown) {
    return { kind: 'failed', message: thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown) }
  }
}

port.on('message', (task: LoadTask) => void run(task).then((word) => port.postMessage(word)))
