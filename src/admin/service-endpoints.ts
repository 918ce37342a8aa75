import type { Answer } from '../core/answer.ts'
import { jsonAnswer } from '../core/answer.ts'
import type { Exchange } from '../core/exchange.ts'
import { httpProblem } from '../core/problem.ts'
import type { Gateway } from '../gateway/gateway.ts'
import type { Family } from '../gateway/meter-totals.ts'
import type { ServiceSpec, TargetSpec } from '../services/service-spec.ts'
import { addressOf } from '../services/target-address.ts'
import type { Endpoint } from './endpoint.ts'
import { segmentOf } from './endpoint.ts'

/** The longest wait for workers to hear of a drain; one that hangs is replaced by one that knows. */
const heardWithinMs = 2000

/** What of a gateway these addresses tell and change. */
export interface ServiceSource extends Pick<Gateway, 'families' | 'targets' | 'names' | 'standings' | 'heard'> {
  readonly model: { readonly services: readonly ServiceSpec[] }
}

/**
 * The addresses about services: how they and their targets stand, and targets taken out of service by hand. A target is
 * named by its `host:port`, percent-encoded where need be: `PUT /api/services/orders/targets/10.0.0.1:7002/drain`.
 */
export function serviceEndpoints(gateway: ServiceSource): readonly Endpoint[] {
  const roles = ['admin'] as const
  const drain = '/api/services/{service}/targets/{target}/drain'
  return [
    {
      method: 'GET',
      path: '/api/services',
      roles,
      handle: () => jsonAnswer(200, { services: serviceDocuments(gateway) }),
    },
    { method: 'PUT', path: drain, roles, handle: (x) => changeDrain(gateway, x, true) },
    { method: 'DELETE', path: drain, roles, handle: (x) => changeDrain(gateway, x, false) },
  ]
}

/**
 * Answers with the target as it stands then: 200 once every worker acts on it, 202 and `pending` when one has not heard
 * of it in time and will yet. Saying the same twice is no mistake.
 */
async function changeDrain(gateway: ServiceSource, x: Exchange, isDraining: boolean): Promise<Answer> {
  const name = segmentOf(x, -4)
  const address = segmentOf(x, -2)
  const service = gateway.model.services.find((each) => each.name === name)
  const target = service === undefined ? undefined : gateway.targets(service).find((each) => addressOf(each) === address)
  if (service === undefined || target === undefined || !gateway.standings.drain(service.name, addressOf(target), isDraining)) {
    return httpProblem({ name: 'no-route', detail: 'There is no such target.' }, x.id)
  }
  const isHeard = await gateway.heard(heardWithinMs)
  const document = targetDocument(gateway, service, target)
  return isHeard ? jsonAnswer(200, document) : jsonAnswer(202, { ...document, pending: true })
}

function serviceDocuments(gateway: ServiceSource): unknown {
  const families = new Map(gateway.families().map((family) => [family.name, family]))
  const counts = (metric: string, service: string, label: string): Record<string, number> =>
    Object.fromEntries(seriesOf(families.get(metric), service).map(([labels, value]) => [labels.get(label) ?? '', value]))
  return gateway.model.services.map((service) => ({
    name: service.name,
    balance: service.balance,
    timeoutMs: service.timeoutMs,
    attempts: service.attempts,
    maxConnections: service.maxConnections,
    breaker: service.breaker?.isOfService === true ? (gateway.standings.breaker(service.name) ?? { state: 'closed' }) : undefined,
    targets: gateway.targets(service).map((target) => targetDocument(gateway, service, target)),
    names: gateway.names(service).map(({ name, addresses, resolvedAt, failure }) => ({
      name,
      addresses,
      resolvedAt: resolvedAt === 0 ? undefined : new Date(resolvedAt).toISOString(),
      failure: failure === '' ? undefined : failure,
    })),
    connections: seriesOf(families.get('velum_service_connections'), service.name).reduce((sum, [, value]) => sum + value, 0),
    requests: counts('velum_service_requests_total', service.name, 'outcome'),
    retries: counts('velum_service_retries_total', service.name, 'reason'),
  }))
}

function targetDocument(gateway: ServiceSource, service: ServiceSpec, target: TargetSpec): object {
  const address = addressOf(target)
  return { url: target.url, address, weight: target.weight, ...gateway.standings.status(service.name, address) }
}

/** A family's series of one service: their labels and values. */
function seriesOf(family: Family | undefined, service: string): [labels: ReadonlyMap<string, string>, value: number][] {
  const found: [ReadonlyMap<string, string>, number][] = []
  for (const { labels, values } of family?.series.values() ?? []) {
    const named = new Map(labels)
    if (named.get('service') === service) found.push([named, values[0]])
  }
  return found
}
