// A store thread that does what its calls say: it answers with their number, dies, or is silent until it is woken.
import { parentPort, workerData } from 'node:worker_threads'
import type { FromStoreThread, StoreThreadBirth, ToStoreThread } from '../../src/stores/sqlite/thread-messages.ts'

const port = parentPort!
const say = (message: FromStoreThread): void => port.postMessage(message)
const { file } = workerData as StoreThreadBirth

if (file === 'unusable') {
  say({ kind: 'unusable', message: 'it is broken', isTaken: false })
  port.close()
} else {
  port.on('message', (message: ToStoreThread) => {
    if (message.kind === 'close') return port.close()
    const said = message.calls.map(({ args }) => String(args[0]))
    if (said.includes('die')) process.exit(7)
    if (said.includes('sleep')) Atomics.wait(new Int32Array(message.calls[0].args[1] as SharedArrayBuffer), 0, 0)
    const messages = said.map((text) => ({ topic: 'said', key: '', data: JSON.stringify(text), keepUntil: 0, at: message.now }))
    say({ kind: 'reply', replies: said.map(() => ({ value: message.calls.length, fault: undefined })), messages })
  })
  say({ kind: 'ready' })
}
