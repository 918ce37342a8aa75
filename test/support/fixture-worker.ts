// A worker thread of the real kind whose configurations are compiled to a few built-in paths, for tests of what main
// does with its workers: block the loop, die, throw where nobody catches, wait, fail to compile.
import type { GatewayModel } from '../../src/config/model.ts'
import { textAnswer } from '../../src/core/answer.ts'
import type { Answer } from '../../src/core/answer.ts'
import type { Exchange } from '../../src/core/exchange.ts'
import type { MaybePromise } from '../../src/core/handler.ts'
import { httpProblem, problemOf } from '../../src/core/problem.ts'
import type { Generation } from '../../src/gateway/generation.ts'
import type { GenerationEnv } from '../../src/gateway/worker.ts'
import { runWorkerThread } from '../../src/gateway/worker-thread.ts'
import { createHttp1Server } from '../../src/wire/http1/http1-server.ts'
import type { Served } from '../../src/wire/server-wire.ts'

/** A model of this name cannot be compiled. */
export const uncompilable = 'uncompilable'
/** Preparing a model of this name ends the thread. */
export const deadly = 'deadly'

function compile(model: GatewayModel, env: GenerationEnv): Generation {
  if (model.name === uncompilable) throw new Error('this cannot be compiled')
  if (model.name === deadly) process.exit(7)
  const requests = env.meter.counter('velum_fixture_requests_total', 'Requests.', {})
  const answers: Readonly<Record<string, (x: Exchange) => MaybePromise<Answer>>> = {
    '/': () => textAnswer(200, `${model.name} ${env.worker}`),
    '/block': () => {
      for (;;);
    },
    '/die': () => process.exit(1),
    '/throw': () => {
      setImmediate(() => {
        throw new Error('nobody catches this')
      })
      return textAnswer(200, 'thrown soon')
    },
    // Answers when main tells all workers to go on.
    '/wait': () =>
      new Promise((resolve) => {
        env.link.hear('fixture/go', () => resolve(textAnswer(200, `${model.name} waited`)))
        env.link.tell('fixture/waiting', env.worker)
      }),
    '/ask': async () => textAnswer(200, String(await env.link.ask('fixture/ask', env.worker))),
  }
  const served: Served = {
    handle(x) {
      requests.add()
      x.id = 'fixture'
      x.path = x.target
      return answers[x.target]?.(x) ?? textAnswer(404, 'no')
    },
    done: (x, outcome) => env.accessLog.write(x, outcome),
    refused: (fault) => httpProblem(problemOf(fault), ''),
  }
  return {
    hash: model.hash,
    routes: [],
    served: (listener) => (model.listeners.some(({ name }) => name === listener) ? served : undefined),
    close: () => env.hold.close(),
  }
}

runWorkerThread({ compile, createWire: (_, options) => createHttp1Server(options) })
