// Honest clients, in a process of their own: requests at a steady rate whatever happens (an open loop), each timed from the
// moment it was due.
import { Agent, request } from 'node:http'
import { connect } from 'node:http2'
import type { ClientHttp2Session } from 'node:http2'
import { Agent as TlsAgent, request as tlsRequest } from 'node:https'
import type { IncomingMessage, RequestOptions } from 'node:http'
import type { HonestOrder, HonestWord, Seen } from './messages.ts'
import { Tally } from './tally.ts'
import type { Target } from './target.ts'
import { honestAddresses } from './target.ts'

const patienceMs = 5000
const host = '127.0.0.1'
const plainAgent = new Agent({ keepAlive: true, maxSockets: 32 })
const tlsAgent = new TlsAgent({ keepAlive: true, maxSockets: 32 })
const straightAgent = new Agent({ keepAlive: true, maxSockets: 32 })
const content = Buffer.alloc(1000, 'x')

/** Calls back with undefined for a whole good answer, else with what went wrong. */
type Done = (failure: string | undefined) => void

class Window {
  readonly gateway = new Tally()
  readonly fresh = new Tally()
  readonly straight = new Tally()
  pending = 0
  whenDone: (() => void) | undefined

  seen(): { gateway: Seen; fresh: Seen; straight: Seen } {
    return { gateway: this.gateway.seen(), fresh: this.fresh.seen(), straight: this.straight.seen() }
  }
}

let window: Window | undefined
const sessions = new Map<string, ClientHttp2Session>()

process.on('message', (order: HonestOrder) => {
  if (order.kind === 'start') start(order.target, order.perSecond)
  else if (order.kind === 'open') window = new Window()
  else closeWindow()
})

function closeWindow(): void {
  const closed = window!
  window = undefined
  const tell = (): void => say({ kind: 'window', seen: closed.seen() })
  if (closed.pending === 0) tell()
  else closed.whenDone = tell
}

function start(target: Target, perSecond: number): void {
  const clients = honestAddresses.map((address) => ({ kinds: kindsOf(target, address), fresh: freshOf(target, address) }))
  const straights = target.straightPorts.map((port) => straight(port))
  const began = performance.now()
  let sent = 0
  setInterval(() => {
    const due = Math.floor(((performance.now() - began) * perSecond) / 1000)
    for (; sent < due; sent++) {
      const dueAt = began + (sent * 1000) / perSecond
      const { kinds, fresh } = clients[sent % clients.length]
      ask(kinds[Math.floor(sent / clients.length) % kinds.length], dueAt, (w) => w.gateway)
      ask(straights[sent % straights.length], dueAt, (w) => w.straight)
      if (sent % 50 === 0) ask(fresh.plain, dueAt, (w) => w.fresh)
      if (sent % 50 === 25) ask(fresh.secure, dueAt, (w) => w.fresh)
    }
  }, 1)
  say({ kind: 'started' })
}

function ask(send: (done: Done) => void, dueAt: number, tallyOf: (window: Window) => Tally): void {
  const mine = window
  if (mine !== undefined) mine.pending++
  let isDone = false
  const done: Done = (failure) => {
    if (isDone) return
    isDone = true
    clearTimeout(patience)
    if (mine === undefined) return
    tallyOf(mine).add(performance.now() - dueAt, failure)
    if (--mine.pending === 0) mine.whenDone?.()
  }
  const patience = setTimeout(() => done('no answer in time'), patienceMs)
  send(done)
}

function kindsOf(target: Target, localAddress: string): ((done: Done) => void)[] {
  const { plainPort, tlsPort, authority, token } = target
  const plain = { host, port: plainPort, localAddress, agent: plainAgent }
  const secure = { host, port: tlsPort, localAddress, agent: tlsAgent, ca: authority, servername: 'localhost' }
  const authorization = `Bearer ${token}`
  let page = 0
  return [
    (done) => over(request, { ...plain, path: '/open/honest' }, done),
    (done) => over(tlsRequest, { ...secure, path: `/cached/${page++ % 20}` }, done),
    (done) => overHttp2(target, localAddress, { ':path': '/guarded/honest', authorization }, done),
    (done) => over(request, { ...plain, path: '/open/honest', method: 'POST' }, done, content),
    (done) => over(tlsRequest, { ...secure, path: '/guarded/honest', headers: { authorization } }, done),
    (done) => overHttp2(target, localAddress, { ':path': `/cached/${page++ % 20}` }, done),
  ]
}

const straight =
  (port: number) =>
  (done: Done): void =>
    over(request, { host, port, agent: straightAgent, path: '/open/honest' }, done)

/** Requests on connections made for them. */
function freshOf(
  { plainPort, tlsPort, authority }: Target,
  localAddress: string,
): Record<'plain' | 'secure', (done: Done) => void> {
  const common = { host, localAddress, agent: false, path: '/open/fresh' } as const
  const options = { ...common, port: tlsPort, ca: authority, servername: 'localhost' }
  return {
    plain: (done) => over(request, { ...common, port: plainPort }, done),
    secure: (done) => over(tlsRequest, options, done),
  }
}

function over(send: typeof request, options: RequestOptions, done: Done, body?: Buffer): void {
  const sent = send(options, (answer: IncomingMessage) => {
    answer.resume()
    answer.on('end', () => done(answer.statusCode === 200 ? undefined : `status ${answer.statusCode}`))
    answer.on('error', (error) => done(`inside the answer: ${error.message}`))
  })
  sent.on('error', (error: NodeJS.ErrnoException) => done(error.code ?? error.message))
  sent.end(body)
}

function overHttp2({ tlsPort, authority }: Target, localAddress: string, headers: Record<string, string>, done: Done): void {
  let session = sessions.get(localAddress)
  if (session === undefined || session.closed || session.destroyed) {
    const options = { ca: authority, host, servername: 'localhost', localAddress }
    session = connect(`https://localhost:${tlsPort}`, options as object)
    session.on('error', () => {})
    sessions.set(localAddress, session)
  }
  const stream = session.request(headers)
  let status = 0
  stream.on('response', (head) => (status = head[':status'] ?? 0))
  stream.on('error', (error: NodeJS.ErrnoException) => done(error.code ?? error.message))
  stream.on('end', () => done(status === 200 ? undefined : `status ${status}`))
  stream.on('close', () => done('the stream was closed'))
  stream.resume()
}

function say(word: HonestWord): void {
  process.send!(word)
}
