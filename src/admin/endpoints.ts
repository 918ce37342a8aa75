import type { Answer } from '../core/answer.ts'
import { jsonAnswer, textAnswer } from '../core/answer.ts'
import type { Gateway } from '../gateway/gateway.ts'
import type { Family } from '../gateway/meter-totals.ts'
import { metricsText, metricsType } from '../gateway/metrics-text.ts'
import type { ReloadOutcome, Reloader } from '../gateway/reloader.ts'
import { addressOf } from '../services/target-address.ts'
import type { Endpoint } from './endpoint.ts'
import { identityEndpoints } from './identity-endpoints.ts'
import { limitEndpoints } from './limit-endpoints.ts'
import { userEndpoints } from './user-endpoints.ts'
import { healthAnswer, readyAnswer } from './probes.ts'

/** The addresses of the admin surface (CONTRACT §5), as far as there is something to say. */
export function adminEndpoints(gateway: Gateway, reloader: Reloader): readonly Endpoint[] {
  return [
    { method: 'GET', path: '/healthz', roles: 'anyone', handle: healthAnswer },
    { method: 'GET', path: '/readyz', roles: 'anyone', handle: () => readyAnswer(gateway) },
    {
      method: 'GET',
      path: '/metrics',
      roles: ['admin', 'metrics'],
      handle: () => textAnswer(200, metricsText(gateway.families()), metricsType),
    },
    { method: 'GET', path: '/api/config', roles: ['admin'], handle: () => jsonAnswer(200, configDocument(gateway, reloader.last)) },
    { method: 'POST', path: '/api/reload', roles: ['admin'], handle: () => reload(gateway, reloader) },
    { method: 'GET', path: '/api/routes', roles: ['admin'], handle: () => jsonAnswer(200, { routes: gateway.routes }) },
    {
      method: 'GET',
      path: '/api/services',
      roles: ['admin'],
      handle: () => jsonAnswer(200, { services: serviceDocuments(gateway) }),
    },
    ...limitEndpoints(gateway),
    ...identityEndpoints(gateway),
    ...userEndpoints(gateway),
  ]
}

async function reload(gateway: Gateway, reloader: Reloader): Promise<Answer> {
  const outcome = await reloader.reload()
  // The configuration is at fault, not the call: the document says what is wrong with it.
  return jsonAnswer(outcome.isCommitted ? 200 : 422, configDocument(gateway, outcome))
}

function configDocument(gateway: Gateway, outcome: ReloadOutcome): unknown {
  const { model, generation, workers } = gateway
  return {
    name: model.name,
    generation: { number: generation.number, hash: generation.hash, committedAt: isoTime(generation.committedAt) },
    workers: workers.map(({ number, state }) => ({ number, state })),
    listeners: model.listeners.map(({ name, host, port, tls }) => ({ name, host, port, tls: tls !== undefined })),
    load: {
      at: isoTime(outcome.at),
      file: outcome.file,
      committed: outcome.isCommitted,
      failure: outcome.failure,
      findings: outcome.findings,
    },
  }
}

function serviceDocuments(gateway: Gateway): unknown {
  const families = new Map(gateway.families().map((family) => [family.name, family]))
  return gateway.model.services.map((service) => ({
    name: service.name,
    balance: service.balance,
    timeoutMs: service.timeoutMs,
    attempts: service.attempts,
    maxConnections: service.maxConnections,
    targets: gateway.targets(service).map((target) => {
      const ejected = gateway.ejection(service.name, addressOf(target))
      return {
        url: target.url,
        address: addressOf(target),
        weight: target.weight,
        state: ejected === undefined ? 'in' : ejected.forMs === Infinity ? 'down' : 'ejected',
        out: ejected,
      }
    }),
    names: gateway.names(service).map(({ name, addresses, resolvedAt, failure }) => ({
      name,
      addresses,
      resolvedAt: resolvedAt === 0 ? undefined : isoTime(resolvedAt),
      failure: failure === '' ? undefined : failure,
    })),
    connections: seriesOf(families.get('velum_service_connections'), service.name).reduce((sum, [, value]) => sum + value, 0),
    requests: Object.fromEntries(
      seriesOf(families.get('velum_service_requests_total'), service.name).map(([labels, value]) => [
        labels.get('outcome') ?? '',
        value,
      ]),
    ),
  }))
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

function isoTime(epochMs: number): string {
  return new Date(epochMs).toISOString()
}
