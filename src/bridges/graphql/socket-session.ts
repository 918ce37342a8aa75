import { makeServer } from 'graphql-ws'
import type { ExecutionArgs, ExecutionResult, GraphQLFormattedError } from 'graphql'
import type { WebSocket } from 'ws'
import { END } from '../../core/body.ts'
import type { Clock } from '../../core/clock.ts'
import { Fault, faultFrom } from '../../core/fault.ts'
import type { Log } from '../../core/log.ts'
import type { Admission } from './admission.ts'
import type { Refused } from './documents.ts'
import { requestError } from './errors.ts'
import type { Operation } from './operation.ts'
import type { GraphqlRequest } from './request.ts'
import { readPayload } from './request.ts'
import type { Responses } from './responses.ts'
import { executed, responsesTo } from './responses.ts'

/** The subprotocol of graphql-ws (graphql/graphql-over-http, rfcs/GraphQLOverWebSocket.md). */
export const socketProtocol = 'graphql-transport-ws'

/** An operation that may be executed, and what its calls are made by. */
export interface Prepared {
  readonly args: ExecutionArgs
  readonly operation: Operation
  readonly cost: number
}

export interface SocketSessionOptions {
  readonly socket: WebSocket
  readonly clock: Clock
  readonly log: Log
  /** Judges what is asked; nothing has been executed when it returns. */
  readonly prepare: (request: GraphqlRequest) => Prepared | Refused
  /** Charges the limits for what was judged. */
  readonly admit: (prepared: Prepared) => Promise<Admission>
}

/** A client that says nothing at first is closed with 4408 after this. */
const initWaitMs = 10_000
/** So many operations at a time on one connection. */
const maxOperations = 100
/** Unsent bytes from which on nothing more is read of a client that does not read itself. */
const highWaterBytes = 65_536

/**
 * GraphQL over an open WebSocket: any number of operations beside each other, each pulled as fast as the client reads.
 * Everything ends with the socket.
 */
export function runSocketSession({ socket, clock, log, prepare, admit }: SocketSessionOptions): void {
  const running = new Map<ExecutionArgs, { readonly operation: Operation; readonly admission: Admission | undefined }>()
  const over = (args: ExecutionArgs): void => {
    const ended = running.get(args)
    running.delete(args)
    ended?.admission?.end()
  }

  const server = makeServer({
    connectionInitWaitTimeout: 0,
    jsonMessageReviver: exactIntegers,
    onConnect() {
      initTimer.cancel()
    },
    async onSubscribe(_context, _id, payload) {
      if (running.size >= maxOperations)
        return [requestError('RESOURCE_EXHAUSTED', `A connection may have ${maxOperations} operations at a time.`)]
      let judged: Prepared | Refused
      try {
        judged = prepare(readPayload(payload))
      } catch (thrown) {
        return [requestError('BAD_REQUEST', faultFrom(thrown).message)]
      }
      if ('errors' in judged) return judged.errors
      const { args, operation } = judged
      running.set(args, { operation, admission: undefined })
      const admission = await admit(judged)
      if (admission.refusal !== undefined) {
        over(args)
        return [
          requestError(String(admission.refusal.extensions?.['code']), admission.refusal.message, admission.refusal.extensions),
        ]
      }
      running.set(args, { operation, admission })
      // It closed meanwhile: nobody would end what is begun now.
      if (socket.readyState !== socket.OPEN) operation.cancel(new Fault('client-left'))
      return args
    },
    async execute(args) {
      try {
        // The errors have their form already: `onNext` passes them on, and nobody else looks at them.
        return (await executed(args, log)) as ExecutionResult
      } finally {
        over(args)
      }
    },
    subscribe(args) {
      return results(responsesTo(args, running.get(args)!.operation, true, log), () => over(args))
    },
    // They have been made fit to be seen already, and the server knows errors of its own making only.
    onNext: (_context, _id, _payload, _args, result) => result as object,
    onError: (_context, _id, _payload, errors) => {
      const { cause } = errors[0]
      return cause instanceof LastErrors ? cause.errors : errors.map((error) => error.toJSON())
    },
  })
  const initTimer = clock.after(initWaitMs, () => socket.close(4408, 'Connection initialisation timeout'))
  const closed = server.opened(
    {
      protocol: socketProtocol,
      send: (text) =>
        new Promise((resolve) => {
          socket.send(text, () => {
            if (socket.isPaused && socket.bufferedAmount < highWaterBytes) socket.resume()
            resolve()
          })
        }),
      close: (code, reason = '') => socket.close(code, closeReason(reason)),
      onMessage(read) {
        socket.on('message', (content: Buffer, isBinary: boolean) => {
          if (isBinary) {
            socket.close(4400, 'Messages are text')
            return
          }
          read(content.toString()).catch((error: unknown) => {
            log.error('an operation of GraphQL failed here', { error })
            socket.close(4500, 'Internal error')
          })
          if (socket.bufferedAmount >= highWaterBytes) socket.pause()
        })
      },
    },
    undefined,
  )
  socket.on('close', (code: number) => {
    initTimer.cancel()
    const why = new Fault('client-left')
    for (const { operation } of running.values()) operation.cancel(why)
    void closed(code, '')
  })
}

/** A stream's last words, for `onError`. */
class LastErrors extends Error {
  readonly errors: readonly GraphQLFormattedError[]

  constructor(errors: readonly GraphQLFormattedError[]) {
    super('an operation failed')
    this.errors = errors
  }
}

/** Responses as the server takes them: what fails is thrown, which it says in a message of its own. */
function results(responses: Responses, over: () => void): AsyncGenerator<object, undefined, void> {
  const done = (): IteratorResult<object, undefined> => {
    over()
    return { done: true, value: undefined }
  }
  return {
    async next() {
      const response = await responses.next()
      if (response === END) return done()
      if (response.data !== undefined || response.errors === undefined) return { done: false, value: response }
      over()
      throw new LastErrors(response.errors)
    },
    return() {
      responses.cancel(new Fault('cancelled', 'nobody subscribes any more'))
      return Promise.resolve(done())
    },
    throw: () => Promise.resolve(done()),
    [Symbol.asyncIterator]() {
      return this
    },
    [Symbol.asyncDispose]: () => Promise.resolve(void done()),
  }
}

/** Integers whose digits a double would lose as bigint. */
function exactIntegers(this: unknown, _name: string, value: unknown, context?: { readonly source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value
  const { source = '' } = context ?? {}
  return /^-?\d{1,30}$/.test(source) ? BigInt(source) : value
}

/** A close frame has room for 123 bytes. */
function closeReason(text: string): string {
  return Buffer.from(text).length <= 123 ? text : `${text.replaceAll(/[^ -~]/g, '?').slice(0, 120)}...`
}
