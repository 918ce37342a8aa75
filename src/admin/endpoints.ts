import type { Answer } from '../core/answer.ts'
import { jsonAnswer, textAnswer } from '../core/answer.ts'
import type { Gateway } from '../gateway/gateway.ts'
import { metricsText, metricsType } from '../gateway/metrics-text.ts'
import type { ReloadOutcome, Reloader } from '../gateway/reloader.ts'
import type { Endpoint } from './endpoint.ts'
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
  return gateway.model.services.map(({ name, targets, balance, timeoutMs, attempts, maxConnections }) => ({
    name,
    balance,
    timeoutMs,
    attempts,
    maxConnections,
    targets: targets.map(({ url, weight }) => ({ url, weight })),
  }))
}

function isoTime(epochMs: number): string {
  return new Date(epochMs).toISOString()
}
