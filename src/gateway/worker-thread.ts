import { parentPort, workerData } from 'node:worker_threads'
import { portTo } from './messages.ts'
import type { ToWorker, WorkerBirth } from './messages.ts'
import { GatewayWorker } from './worker.ts'
import type { WorkerParts } from './worker.ts'

/** Makes the thread that calls this a worker of the gateway; its messages are those of `messages.ts`. */
export function runWorkerThread(parts: WorkerParts): void {
  if (parentPort === null) throw new Error('this runs in a worker thread only')
  const port = parentPort
  const worker = new GatewayWorker(portTo(port), workerData as WorkerBirth, parts)
  port.on('message', (message: ToWorker) => worker.receive(message))
  port.on('close', () => worker.close())
  process.on('uncaughtException', (thrown) => worker.faulty(thrown))
  process.on('unhandledRejection', (thrown) => worker.faulty(thrown))
}
