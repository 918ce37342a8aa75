import { Agent, request } from 'node:http'
import type { IncomingHttpHeaders } from 'node:http'

/** What became of one request on one node; times are those of `performance.now()`. */
export interface Told {
  readonly node: number
  /** 0: the connection was refused, or broke before the answer was whole. */
  readonly status: number
  /** Nobody took the connection, so the request cannot have arrived. */
  readonly isRefused: boolean
  /** Why there is no answer. */
  readonly cut: string
  readonly headers: IncomingHttpHeaders
  readonly text: string
  readonly sentAt: number
  readonly doneAt: number
}

export interface Asking {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  readonly waitMs?: number
}

/** Longer than any fault: what is answered late is answered. */
const defaultWaitMs = 20_000

/** One request. Never rejects. */
export function ask(agent: Agent, node: number, url: string, asking: Asking = {}): Promise<Told> {
  const { method = 'GET', headers = {}, body, waitMs = defaultWaitMs } = asking
  const sentAt = performance.now()
  return new Promise((resolve) => {
    const end = (told: Partial<Told>): void =>
      resolve({ node, status: 0, isRefused: false, cut: '', headers: {}, text: '', sentAt, doneAt: performance.now(), ...told })
    const sent = request(url, { agent, method, headers }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (part: string) => (text += part))
      response.on('error', () => {})
      response.on('close', () => {
        clearTimeout(timer)
        if (response.complete) end({ status: response.statusCode ?? 0, headers: response.headers, text })
        else end({ cut: 'in the middle of the answer' })
      })
    })
    const timer = setTimeout(() => sent.destroy(Object.assign(new Error('silent'), { code: 'SILENT' })), waitMs)
    sent.on('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(timer)
      end({ cut: error.code ?? error.message, isRefused: error.code === 'ECONNREFUSED' })
    })
    sent.end(body)
  })
}

export function newAgent(): Agent {
  return new Agent({ keepAlive: true, maxSockets: 64 })
}
