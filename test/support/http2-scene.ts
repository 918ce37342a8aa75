import { once } from 'node:events'
import { connect } from 'node:http2'
import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http2'
import type { Answer } from '../../src/core/answer.ts'
import type { Exchange } from '../../src/core/exchange.ts'
import { createHttp2Server } from '../../src/wire/http2/http2-server.ts'
import { serverScene } from './server-wires.ts'
import type { CreateServerWire, ServerScene, ServerSceneOptions } from './server-wires.ts'

/** The wire under test, with connections that all grow equally old. */
export const createTestedHttp2: CreateServerWire = (options) => createHttp2Server(options, () => 0.5)

/** An answer as a client of node:http2 got it. */
export interface Got {
  readonly headers: IncomingHttpHeaders
  readonly content: string
  readonly trailers: IncomingHttpHeaders | undefined
  readonly code: number
}

/** What came of a stream, once it is closed. */
export function got(stream: ClientHttp2Stream): Promise<Got> {
  return new Promise((resolve) => {
    let headers: IncomingHttpHeaders = {}
    let trailers: IncomingHttpHeaders | undefined
    let content = ''
    stream.on('response', (head) => void (headers = head))
    stream.on('trailers', (fields) => void (trailers = fields))
    stream.on('data', (chunk: Buffer) => void (content += chunk.toString('latin1')))
    stream.on('error', () => {})
    stream.on('close', () => resolve({ headers, content, trailers, code: stream.rstCode ?? 0 }))
  })
}

/** One request and what came of it. */
export function ask(session: ClientHttp2Session, headers: OutgoingHttpHeaders, body?: string): Promise<Got> {
  const stream = session.request(headers, { endStream: body === undefined })
  if (body !== undefined) stream.end(body)
  return got(stream)
}

/** A server wire and a client's session to it, for the length of `run`. */
export function play(
  run: (session: ClientHttp2Session, scene: ServerScene) => Promise<void>,
  options?: ServerSceneOptions,
): Promise<void> {
  return serverScene(
    createTestedHttp2,
    async (scene) => {
      const session = connect(`http://127.0.0.1:${scene.port}`)
      session.on('error', () => {})
      await once(session, 'remoteSettings')
      try {
        await run(session, scene)
      } finally {
        session.destroy()
      }
    },
    options,
  )
}

/** A scene whose every request is answered like this. */
export const answering = (answer: (x: Exchange) => Answer | Promise<Answer>): ServerSceneOptions => ({ handler: answer })
