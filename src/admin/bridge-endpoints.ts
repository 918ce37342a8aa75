import type { Answer } from '../core/answer.ts'
import { jsonAnswer } from '../core/answer.ts'
import type { Exchange } from '../core/exchange.ts'
import { httpProblem } from '../core/problem.ts'
import { bridgedServices, openapiOf, sdlOf } from '../gateway/bridged-methods.ts'
import type { Gateway } from '../gateway/gateway.ts'
import type { Endpoint } from './endpoint.ts'
import { segmentOf } from './endpoint.ts'

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
  const service = segmentOf(x, -2)
  const document = service === undefined ? undefined : make(service)
  const detail = 'There is no such service, or it is not known yet what it offers.'
  return document === undefined ? httpProblem({ name: 'no-route', detail }, x.id) : jsonAnswer(200, document)
}
