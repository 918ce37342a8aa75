import { diffModels } from '../config/diff.ts'
import type { Answer } from '../core/answer.ts'
import { jsonAnswer, textAnswer } from '../core/answer.ts'
import { systemClock } from '../core/clock.ts'
import type { Exchange } from '../core/exchange.ts'
import { inSlices } from '../core/in-slices.ts'
import { httpProblem } from '../core/problem.ts'
import type { Gateway } from '../gateway/gateway.ts'
import { metricsType, writing } from '../gateway/metrics-text.ts'
import { openMetricsType, wantsOpenMetrics, writingOpenMetrics } from '../gateway/open-metrics.ts'
import type { ReloadOutcome, Reloader } from '../gateway/reloader.ts'
import type { ShadowSwitch } from '../gateway/shadow-switch.ts'
import { shadowNotes } from '../gateway/shadow-switch.ts'
import { apiKeyEndpoints } from './api-key-endpoints.ts'
import { bridgeEndpoints } from './bridge-endpoints.ts'
import { cacheEndpoints } from './cache-endpoints.ts'
import { certificateEndpoints } from './certificate-endpoints.ts'
import type { Endpoint } from './endpoint.ts'
import { explainEndpoints } from './explain-endpoints.ts'
import { identityEndpoints } from './identity-endpoints.ts'
import { limitEndpoints } from './limit-endpoints.ts'
import { overviewEndpoints } from './overview-endpoints.ts'
import { penaltyEndpoints } from './penalty-endpoints.ts'
import { requestEndpoints } from './request-endpoints.ts'
import { serviceEndpoints } from './service-endpoints.ts'
import { shadowEndpoints } from './shadow-endpoints.ts'
import { userEndpoints } from './user-endpoints.ts'
import { healthAnswer, readyAnswer } from './probes.ts'

/** The addresses of the admin surface (CONTRACT §5), as far as there is something to say. */
export function adminEndpoints(gateway: Gateway, reloader: Reloader, shadows: ShadowSwitch): readonly Endpoint[] {
  return [
    { method: 'GET', path: '/healthz', roles: 'anyone', handle: healthAnswer },
    { method: 'GET', path: '/readyz', roles: 'anyone', handle: () => readyAnswer(gateway) },
    {
      method: 'GET',
      path: '/metrics',
      roles: ['admin', 'metrics'],
      handle: (x) => metricsAnswer(gateway, x),
    },
    { method: 'GET', path: '/api/config', roles: ['admin'], handle: () => jsonAnswer(200, configDocument(gateway, reloader.last)) },
    { method: 'GET', path: '/api/config/diff', roles: ['admin'], handle: (x) => diffAnswer(gateway, x) },
    { method: 'POST', path: '/api/reload', roles: ['admin'], handle: () => reload(gateway, reloader) },
    { method: 'GET', path: '/api/routes', roles: ['admin'], handle: () => jsonAnswer(200, { routes: gateway.routes }) },
    ...overviewEndpoints(gateway),
    ...explainEndpoints({
      async explain(question) {
        const told = await gateway.explain(question)
        return { ...told, notes: [...told.notes, ...shadowNotes(shadows.list())] }
      },
    }),
    ...requestEndpoints(gateway),
    ...serviceEndpoints(gateway),
    ...bridgeEndpoints(gateway),
    ...limitEndpoints(gateway),
    ...shadowEndpoints(shadows),
    ...penaltyEndpoints(gateway),
    ...cacheEndpoints(gateway),
    ...certificateEndpoints(gateway),
    ...identityEndpoints(gateway),
    ...userEndpoints(gateway),
    ...apiKeyEndpoints(gateway),
  ]
}

/** In OpenMetrics for whoever asks for it, else in Prometheus' text format. */
async function metricsAnswer(gateway: Gateway, x: Exchange): Promise<Answer> {
  const isOpen = wantsOpenMetrics(x.headers.get('accept') ?? '')
  const families = gateway.families()
  const text = await inSlices(isOpen ? writingOpenMetrics(families) : writing(families), systemClock)
  const answer = textAnswer(200, text, isOpen ? openMetricsType : metricsType)
  answer.headers.set('vary', 'accept')
  return answer
}

/** What the latest committed change came to. */
function diffAnswer({ model, modelBefore }: Gateway, x: Exchange): Answer {
  if (modelBefore === undefined)
    return httpProblem({ name: 'no-route', detail: 'The configuration was not changed since the start.' }, x.id)
  return jsonAnswer(200, { from: modelBefore.hash, to: model.hash, ...diffModels(modelBefore, model) })
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

function isoTime(epochMs: number): string {
  return new Date(epochMs).toISOString()
}
