import { once } from 'node:events'
import { Agent as HttpAgent, request as httpRequest } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { connect as connectHttp2, constants } from 'node:http2'
import type { ClientHttp2Session } from 'node:http2'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'

/** What is asked for. */
export interface Question {
  readonly method?: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Buffer
}

export interface Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Buffer
}

/** Asks by one protocol. Rejects when there is no whole answer. */
export interface Caller {
  ask(question: Question): Promise<Reply>
  close(): void
}

const patienceMs = 30_000

/** How often HTTP/1.1 was sent again, because its connection had been let go. */
export const resets = { count: 0 }

/** HTTP/1.1 on connections that are kept (`keepAlive`) or that serve one request each. */
export function createHttp1Caller(origin: string, options: { readonly ca?: string; readonly keepAlive: boolean }): Caller {
  const isSecure = origin.startsWith('https:')
  const keeping = { keepAlive: options.keepAlive, maxSockets: 32, keepAliveMsecs: 20_000 }
  const agent = isSecure ? new HttpsAgent({ ...keeping, ca: options.ca, maxCachedSessions: 0 }) : new HttpAgent(keeping)
  const askOnce = ({ method = 'GET', path, headers = {}, body }: Question, isAgain: boolean): Promise<Reply | 'reset'> => {
    const ask = isSecure ? httpsRequest : httpRequest
    const length = body === undefined ? {} : { 'content-length': body.length }
    // Again on a connection of its own: when one is let go, all that are idle are.
    const by = isAgain ? { agent: false, ca: options.ca } : { agent }
    const sent = ask(new URL(path, origin), { method, ...by, headers: { ...headers, ...length }, timeout: patienceMs })
    return new Promise((resolve, reject) => {
      sent.on('timeout', () => sent.destroy(new Error('no answer within 30 s')))
      let isAnswered = false
      sent.on('error', (thrown: NodeJS.ErrnoException) => {
        // The gateway let the connection go while it was idle, and the request crossed that on the way.
        if (sent.reusedSocket && !isAnswered && thrown.code === 'ECONNRESET') resolve('reset')
        else reject(thrown)
      })
      sent.on('response', (response: IncomingMessage) => {
        isAnswered = true
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => void chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () => {
          if (!response.complete) reject(new Error('the answer broke off'))
          else resolve({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(chunks) })
        })
      })
      sent.end(body)
    })
  }
  return {
    async ask(question) {
      // Sent again as clients do (RFC 9112 §9.3.1); had a service seen it, it would arrive twice and be counted.
      const reply = await askOnce(question, false)
      if (reply !== 'reset') return reply
      resets.count++
      const second = await askOnce(question, true)
      if (second === 'reset') throw new Error('reset on a new connection')
      return second
    },
    close: () => agent.destroy(),
  }
}

/** HTTP/2 on one session, which is replaced when the gateway lets it go, and after so many requests. */
export function createHttp2Caller(origin: string, options: { readonly ca?: string; readonly renewAfter?: number } = {}): Caller {
  let session: ClientHttp2Session | undefined
  let asked = 0
  const current = (): ClientHttp2Session => {
    if (session !== undefined && !session.closed && !session.destroyed && asked % (options.renewAfter ?? 2000) !== 0) return session
    const before = session
    // While it connects, requests wait for it, which it would be closed to.
    if (before?.connecting === true) before.once('connect', () => before.close())
    else before?.close()
    const made = connectHttp2(origin, options.ca === undefined ? {} : { ca: options.ca })
    made.on('error', () => {})
    made.on('goaway', () => {
      made.close()
      if (session === made) session = undefined
    })
    return (session = made)
  }
  return {
    async ask(question) {
      for (let tries = 0; tries < 3; tries++) {
        const used = current()
        asked++
        const reply = await askOn(used, question)
        if (reply !== 'refused') return reply
        // Only the one that refused: others that were refused with this may have opened another meanwhile.
        if (!used.closed) used.close()
        if (session === used) session = undefined
      }
      throw new Error('refused on three sessions')
    },
    close: () => session?.destroy(),
  }
}

/** One request on a session; `refused`: nobody has looked at it, and it may be asked again on another. */
async function askOn(used: ClientHttp2Session, { method = 'GET', path, headers = {}, body }: Question): Promise<Reply | 'refused'> {
  const stream = used.request({ ':method': method, ':path': path, ...headers }, { endStream: body === undefined })
  stream.setTimeout(patienceMs, () => stream.destroy(new Error('no answer within 30 s')))
  let answered: Record<string, string | string[] | undefined> = {}
  stream.on('response', (fields) => void (answered = fields))
  const chunks: Buffer[] = []
  stream.on('data', (chunk: Buffer) => void chunks.push(chunk))
  if (body !== undefined) stream.end(body)
  try {
    await once(stream, 'close') // rejects at an error
  } catch (thrown) {
    // Still waiting for its connection when the GOAWAY came: never sent.
    if ((thrown as NodeJS.ErrnoException).code === 'ERR_HTTP2_GOAWAY_SESSION') return 'refused'
    if (stream.rstCode !== constants.NGHTTP2_REFUSED_STREAM) throw thrown
  }
  // Behind what a GOAWAY covers: nobody has looked at it, and it may be sent again (RFC 9113 §8.7).
  if (stream.rstCode === constants.NGHTTP2_REFUSED_STREAM) return 'refused'
  const status = Number(answered[':status'])
  if (stream.rstCode !== 0 || Number.isNaN(status)) throw new Error(`the stream ended with code ${stream.rstCode}`)
  return { status, headers: answered, body: Buffer.concat(chunks) }
}
