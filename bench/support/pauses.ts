import { request, Agent } from 'node:http'
import { performance } from 'node:perf_hooks'

/** How long single requests waited while something else went on. */
export interface Pauses {
  readonly asked: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

/** Asks for one path, one request after another on one connection, until the work is done. */
export async function measurePauses(port: number, path: string, work: () => Promise<void>): Promise<Pauses> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const waited: number[] = []
  const done = new AbortController()
  const asking = (async () => {
    while (!done.signal.aborted) {
      const begun = performance.now()
      await ask(agent, port, path)
      waited.push(performance.now() - begun)
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
  })()
  await work().finally(() => done.abort())
  await asking
  agent.destroy()
  waited.sort((a, b) => a - b)
  const at = (share: number): number => waited[Math.min(waited.length - 1, Math.floor(waited.length * share))]
  return { asked: waited.length, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) }
}

function ask(agent: Agent, port: number, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, path, agent }, (answer) => {
      answer.resume()
      answer.once('end', resolve)
      answer.once('error', reject)
    })
      .once('error', reject)
      .end()
  })
}
