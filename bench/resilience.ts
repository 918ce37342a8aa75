import { Answer } from '../src/core/answer.ts'
import { emptyBody } from '../src/core/body.ts'
import { systemClock } from '../src/core/clock.ts'
import { Headers } from '../src/core/headers.ts'
import type { Service } from '../src/core/service.ts'
import { createService } from '../src/services/create-service.ts'
import type { ServiceSpec } from '../src/services/service-spec.ts'
import { exchangeOf } from '../test/support/exchange.ts'
import { breakerOf, callOf, serviceWorld, specOf } from '../test/support/service-world.ts'
import type { BenchOptions } from './run.ts'
import { median, table } from './support/table.ts'

interface Contender {
  readonly name: string
  readonly service: Service
  /** CPU µs per request, by round. */
  readonly rounds: number[]
}

const eject = { failures: 5, baseMs: 10_000 }
const watched: Partial<ServiceSpec> = { eject, breaker: breakerOf({ minCalls: 20, isOfService: false }) }
const everything: Partial<ServiceSpec> = {
  eject,
  attempts: 3,
  breaker: breakerOf({ minCalls: 20, slowMs: 2000 }),
  slowStartMs: 30_000,
  balance: 'least-requests',
}
const byAddress: Partial<ServiceSpec> = { ...everything, balance: { hash: { kind: 'address' } } }

/**
 * What balancing and the watch over failures cost a request: the CPU time of a service's own code, with targets that
 * answer at once and without sockets, so that nothing else is in the figures. Turn and turn about in one process.
 */
export async function benchResilience({ isQuick, rounds }: BenchOptions): Promise<void> {
  const requests = isQuick ? 20_000 : 50_000
  const rows: string[][] = []
  for (const targets of [3, 50]) {
    const contenders: Contender[] = [
      contender('nothing on: round-robin, one try', targets, {}),
      contender('the defaults: ejection, breakers of targets', targets, watched),
      contender('all on: retries, breakers with slowness, of the service too, slow start, least requests', targets, everything),
      contender('the same with a hash of the address', targets, byAddress),
      contender('the same with one target out', targets, byAddress, true),
    ]
    for (let round = 0; round < rounds * 4; round++) {
      for (const each of round % 2 === 0 ? contenders : contenders.toReversed()) await run(each, requests)
    }
    const off = median(contenders[0].rounds)
    for (const each of contenders) {
      const cost = median(each.rounds)
      rows.push([`${targets} targets, ${each.name}`, cost.toFixed(2), each === contenders[0] ? '' : (cost - off).toFixed(2)])
    }
  }
  console.log(table(['what', 'CPU µs/request', 'over nothing on (wanted: at most 2)'], rows))
}

function contender(name: string, targets: number, parts: Partial<ServiceSpec>, isOneOut = false): Contender {
  const world = serviceWorld()
  const spec = specOf(
    Array.from({ length: targets }, (_, i) => 7001 + i),
    parts,
  )
  world.main.commit([spec])
  const answer = new Answer(200, new Headers(), emptyBody)
  const createWire = (): ReturnType<typeof world.createWire> => ({
    send: () => Promise.resolve(answer),
    open: 0,
    busy: 0,
    queued: 0,
    close() {},
  })
  const { service } = createService(spec, { ...world.env(), clock: systemClock }, createWire)
  if (isOneOut) world.main.drain(spec.name, '10.0.0.1:7001', true)
  return { name, service, rounds: [] }
}

async function run({ service, rounds }: Contender, requests: number): Promise<void> {
  const call = callOf()
  const x = exchangeOf()
  const before = process.cpuUsage()
  for (let i = 0; i < requests; i++) {
    x.attempts = 0
    await service(call, x)
  }
  const { user, system } = process.cpuUsage(before)
  rounds.push((user + system) / requests)
}
