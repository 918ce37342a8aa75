import type { Answer } from '../core/answer.ts'
import { jsonAnswer } from '../core/answer.ts'
import type { Exchange } from '../core/exchange.ts'
import { httpProblem } from '../core/problem.ts'
import { bridgedServices, openapiOf, sdlOf } from '../gateway/bridged-methods.ts'
import type { Gateway } from '../gateway/gateway.ts'
import type { Endpoint } from './endpoint.ts'
import { pathOf } from './endpoint.ts'

/** The addresses about bridged methods: a table of all, and the OpenAPI document and GraphQL schema of one service. */
export function bridgeEndpoints(gateway: Pick<Gateway, 'model' | 'descriptors'>): readonly Endpoint[] {
  const known = gateway.descriptors.bind(gateway)
  return [
    {
      method: 'GET',
      path: '/api/bridges',
      roles: ['admin'],
      handle: () => jsonAnswer(200, { services: bridgedServices(gateway.model, known) }),
    },
    {
      method: 'GET',
      path: '/api/bridges/{service}/openapi',
      roles: ['admin'],
      handle: (x) => ofService(x, (service) => openapiOf(gateway.model, service, known)),
    },
    {
      method: 'GET',
      path: '/api/bridges/{service}/sdl',
      roles: ['admin'],
      handle: (x) =>
        ofService(x, (service) => {
          const sdl = sdlOf(gateway.model, service, known)
          return sdl === undefined ? undefined : { sdl }
        }),
    },
  ]
}

function ofService(x: Exchange, make: (service: string) => unknown): Answer {
  const document = make(decodedSegment(pathOf(x).split('/').at(-2)!))
  const detail = 'There is no such service, or it is not known yet what it offers.'
  return document === undefined ? httpProblem({ name: 'no-route', detail }, x.id) : jsonAnswer(200, document)
}

/** '' for what is not percent-encoded UTF-8: no service has that name. */
function decodedSegment(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return ''
  }
}
