import { Agent, request } from 'node:http'
import type { TestContext } from 'node:test'
import { readyListeners, startVelum, workFolder } from './velum-process.ts'
import type { VelumProcess } from './velum-process.ts'

/** What a client was told. */
export interface Told {
  readonly status: number
  /** The field RateLimit. */
  readonly rateLimit: string
  readonly retryAfter: string | undefined
  readonly date: number
  readonly ms: number
}

/** A gateway process of its own, whose limits are a fleet's. */
export interface FleetNode {
  readonly velum: VelumProcess
  /** Rejects when there is no answer. */
  ask(path: string, headers?: Record<string, string>): Promise<Told>
}

export interface FleetNodeOptions {
  readonly config: string
  readonly env: NodeJS.ProcessEnv
  /** How wrong its clock is. */
  readonly skewMs?: number
}

/** Starts one and waits until it is ready. */
export async function startFleetNode(t: TestContext, { config, env, skewMs = 0 }: FleetNodeOptions): Promise<FleetNode> {
  const folder = workFolder(t)
  folder.write('velum.config.yaml', config)
  const nodeArgs = skewMs === 0 ? [] : ['--import', new URL(`skewed-clock.mjs?ms=${skewMs}`, import.meta.url).href]
  const velum = startVelum(t, ['run', '--workers', '1'], { folder: folder.path, env, nodeArgs })
  const { web } = await readyListeners(velum)
  const agent = new Agent({ keepAlive: true, maxSockets: 50 })
  t.after(() => agent.destroy())
  return {
    velum,
    ask: (path, headers = {}) =>
      new Promise((resolve, reject) => {
        const startedAt = performance.now()
        request(new URL(path, web), { agent, headers }, (response) => {
          response.resume()
          response.on('end', () => {
            const { 'retry-after': retryAfter, ratelimit, date } = response.headers
            const status = response.statusCode ?? 0
            const ms = performance.now() - startedAt
            resolve({ status, rateLimit: String(ratelimit), retryAfter, date: Date.parse(date ?? ''), ms })
          })
        })
          .on('error', reject)
          .end()
      }),
  }
}
