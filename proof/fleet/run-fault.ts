import { setTimeout as sleep } from 'node:timers/promises'
import type { Cleanup } from '../../test/support/velum-process.ts'
import type { Promised } from '../support/promises.ts'
import { Balancer } from './balancer.ts'
import type { Episode, Traffic } from './episode.ts'
import type { Fault } from './faults.ts'
import { loginAsking } from './scene.ts'
import type { Scene } from './scene.ts'
import { ContentTraffic } from './traffic/content.ts'
import { FamilyTraffic } from './traffic/families.ts'
import { LimitedTraffic } from './traffic/limited.ts'
import { PlainTraffic } from './traffic/plain.ts'
import { RevocationTraffic } from './traffic/revocations.ts'
import { SessionTraffic } from './traffic/sessions.ts'

export interface Spans {
  /** How long all is well first, how long the fault lasts, how long is looked afterwards. */
  readonly beforeMs: number
  readonly duringMs: number
  readonly afterMs: number
}

const sessionCookie = /(__Host-Http-velum=[^;]+)/

/** Runs all kinds of traffic through one fault, and judges what they saw. */
export async function runFault(t: Cleanup, scene: Scene, fault: Fault, spans: Spans): Promise<readonly Promised[]> {
  await fault.prepare?.(scene, t)
  const balancer = new Balancer(scene.nodes)
  // Its looks keep the process alive, also when something fails before the traffic begins.
  t.after(() => balancer.close())
  const logIn = (deliver: 'session' | 'memory') => balancer.ask('/auth/login', loginAsking(deliver))
  if ((await logIn('session')).status !== 200) await scene.addPerson()
  const traffics: readonly Traffic[] = [
    new PlainTraffic(balancer, scene.upstream),
    new LimitedTraffic(balancer, fault.name),
    new SessionTraffic(balancer, await scene.seed(12), async () => {
      const { status, headers } = await logIn('session')
      return status === 200 ? sessionCookie.exec(String(headers['set-cookie']))?.[1] : undefined
    }),
    new RevocationTraffic(balancer, await scene.seed(60)),
    new FamilyTraffic(balancer, () => logIn('memory')),
    new ContentTraffic(balancer, scene.upstream),
  ]
  await Promise.all(traffics.map((traffic) => traffic.prepare()))
  const { done, withoutStore = [], forgets = 'nothing', isWhole = false } = fault
  const [startedAt, away]: [number, Episode['away']] = [performance.now(), []]
  const episode: Episode = { done, startedAt, beganAt: 0, endedAt: 0, stoppedAt: 0, away, withoutStore, forgets }
  for (const traffic of traffics) traffic.start()
  await sleep(spans.beforeMs)
  episode.beganAt = performance.now()
  await fault.begin(scene, episode)
  if (!isWhole) await sleep(spans.duringMs)
  await fault.end?.(scene, episode)
  episode.endedAt = performance.now()
  await sleep(spans.afterMs)
  episode.stoppedAt = performance.now()
  await Promise.all(traffics.map((traffic) => traffic.stop()))
  await balancer.close()
  return traffics.flatMap((traffic) => traffic.judge(episode))
}
