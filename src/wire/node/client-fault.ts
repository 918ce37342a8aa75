import { errors } from 'undici'
import { Fault } from '../../core/fault.ts'

/** What an error of undici means. `isUnsent`: no byte of the request was written; `isInBody`: the head had come. */
export function clientFault(error: unknown, isUnsent: boolean, isInBody: boolean): Fault {
  if (error instanceof Fault) return error
  if (isUnsent) return new Fault('service-refused', 'no connection to the service', { cause: error, unsent: true })
  if (isNonsense(error)) return new Fault('service-nonsense', error.message, { cause: error })
  if (error instanceof errors.RequestContentLengthMismatchError) {
    return new Fault('internal', 'a request body did not have the size that was announced', { cause: error })
  }
  return isInBody
    ? new Fault('service-truncated', 'the connection ended inside the answer', { cause: error })
    : new Fault('service-reset', 'the connection ended before the head of the answer', { cause: error })
}

function isNonsense(error: unknown): error is Error {
  return (
    error instanceof errors.HTTPParserError ||
    error instanceof errors.HeadersOverflowError ||
    error instanceof errors.ResponseContentLengthMismatchError ||
    // undici's words for an answer where none may be, and for a switch that nobody asked for.
    (error instanceof errors.SocketError && (error.message === 'bad response' || error.message === 'bad upgrade'))
  )
}
