import { readFileSync } from 'node:fs'
import { request } from 'node:https'
import type { IncomingHttpHeaders } from 'node:http'
import { join } from 'node:path'

export interface Reply {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly content: string
  /** `name=value` of the cookies that were set. */
  readonly cookies: readonly string[]
}

export interface Asked {
  readonly headers?: Readonly<Record<string, string>>
  readonly json?: unknown
  readonly form?: Readonly<Record<string, string>>
}

/** Asks a gateway with a development certificate whose store is in `folder`, each time on a connection of its own. */
export function httpsAsker(base: string, folder: string): (method: string, path: string, asked?: Asked) => Promise<Reply> {
  const ca = readFileSync(join(folder, '.velum', 'dev-ca.pem'))
  return (method, path, { headers = {}, json, form } = {}) => {
    const content = json === undefined ? (form === undefined ? '' : new URLSearchParams(form).toString()) : JSON.stringify(json)
    const type =
      json === undefined
        ? form === undefined
          ? {}
          : { 'content-type': 'application/x-www-form-urlencoded' }
        : { 'content-type': 'application/json' }
    return new Promise((resolve, reject) => {
      const options = {
        method,
        ca,
        headers: { ...type, ...headers, ...(content === '' ? {} : { 'content-length': Buffer.byteLength(content) }) },
        agent: false,
      } as const
      const sent = request(new URL(path, base), options, (response) => {
        let text = ''
        response
          .setEncoding('utf8')
          .on('data', (chunk: string) => (text += chunk))
          .on('end', () => {
            const cookies = (response.headers['set-cookie'] ?? []).map((line) => line.slice(0, line.indexOf(';')))
            resolve({ status: response.statusCode!, headers: response.headers, content: text, cookies })
          })
          .on('error', reject)
      })
      sent.on('error', reject).end(content)
    })
  }
}
