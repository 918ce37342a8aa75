import type { Answer } from '../core/answer.ts'
import { textAnswer } from '../core/answer.ts'
import type { Handler } from '../core/handler.ts'
import { httpProblem } from '../core/problem.ts'
import { pathOf } from './endpoint.ts'

/** What the probes look at. */
export interface Readiness {
  readonly isReady: boolean
}

/** 200 while the main thread turns. */
export function healthAnswer(): Answer {
  return textAnswer(200, 'ok\n')
}

/** 200 while new requests should be sent here, else 503. */
export function readyAnswer(readiness: Readiness): Answer {
  return readiness.isReady ? textAnswer(200, 'ready\n') : textAnswer(503, 'not ready\n')
}

/** A port with nothing but /healthz and /readyz, for an orchestrator. */
export function createProbes(readiness: Readiness): Handler {
  return (x) => {
    const path = pathOf(x)
    if (path !== '/healthz' && path !== '/readyz') return httpProblem({ name: 'no-route' }, x.id)
    if (x.method !== 'GET' && x.method !== 'HEAD') return httpProblem({ name: 'method-not-allowed' }, x.id)
    return path === '/healthz' ? healthAnswer() : readyAnswer(readiness)
  }
}
