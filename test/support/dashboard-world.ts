import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs'
import { request } from 'node:http'
import { request as secureRequest } from 'node:https'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execFileSync } from 'node:child_process'
import type { TestContext } from 'node:test'
import { serviceOf } from './http-service.ts'
import { runCommand, startVelum, workFolder } from './velum-process.ts'
import type { WorkFolder } from './velum-process.ts'

/** A gateway with its dashboard built, two services behind it, and a person. */
export interface DashboardWorld {
  readonly folder: WorkFolder
  readonly web: string
  /** The same by TLS, at the issuer's name. */
  readonly secure: string
  readonly admin: string
  readonly token: string
  /** Sends one request as a client of this address; gives the status, 0 when there was none. */
  send(options: {
    method?: string
    path: string
    address?: string
    app?: string
    body?: string
    isSecure?: boolean
  }): Promise<number>
  /** Sends a mixture of requests again and again until the function it gives is called. */
  load(): () => Promise<void>
}

const root = fileURLToPath(new URL('../../', import.meta.url))

/** Builds the dashboard where it is not built, which `npm ci` does, or was changed since. */
export function buildDashboard(): void {
  const page = join(root, 'dist/dashboard/index.html')
  const sources = readdirSync(join(root, 'dashboard'), { recursive: true, withFileTypes: true })
  const changedAt = Math.max(...sources.map(({ parentPath, name }) => statSync(join(parentPath, name)).mtimeMs))
  if (existsSync(page) && statSync(page).mtimeMs >= changedAt) return
  execFileSync(process.execPath, [join(root, 'scripts/build-dashboard.ts')], { timeout: 60_000 })
}

/** Starts all of it; it ends with the test. */
export async function openDashboardWorld(t: TestContext, config: string): Promise<DashboardWorld> {
  buildDashboard()
  const upstreams = [await startService(t), await startService(t)]
  const folder = workFolder(t)
  folder.write('velum.config.yaml', config)
  const options = { folder: folder.path, env: { UPSTREAM: upstreams[0], SECOND: upstreams[1] } }
  const added = await runCommand(['user', 'add', 'ada', '--password-stdin', '--roles', 'buyer'], {
    ...options,
    input: 'correct horse battery',
  })
  if (added.code !== 0) throw new Error(added.err)
  const velum = startVelum(t, ['run', '--workers', '2'], options)
  const [line] = await velum.printed(/^\{.*"msg":"the gateway is ready".*\}$/m)
  const ready = JSON.parse(line) as { listeners: { web: string; secure: string }; admin: string }
  const { web, secure } = ready.listeners
  const send: DashboardWorld['send'] = ({ method = 'GET', path, address = '198.51.100.1', app, body, isSecure = false }) =>
    new Promise((resolve) => {
      const headers = { 'x-forwarded-for': address, ...(app === undefined ? {} : { 'x-app': app }) }
      // By TLS each has a connection of its own, so that there are handshakes.
      const connection = isSecure ? { agent: false as const, rejectUnauthorized: false } : {}
      const ask = isSecure ? secureRequest : request
      const sent = ask(new URL(path, isSecure ? secure : web), { method, headers, ...connection }, (response) => {
        response.resume()
        response.once('close', () => {
          if (isSecure) sent.destroy()
          resolve(response.statusCode ?? 0)
        })
      })
      sent.once('error', () => resolve(0))
      sent.end(body)
    })
  return {
    folder,
    web,
    secure: secure.replace('127.0.0.1', 'localhost'),
    admin: ready.admin,
    token: readFileSync(join(folder.path, '.velum', 'admin.token'), 'utf8').trim(),
    send,
    load() {
      const over = new AbortController()
      const lanes = Array.from({ length: 6 }, async (_, lane) => {
        for (let i = lane; !over.signal.aborted; i += 6) {
          await mixed(send, i)
          await new Promise((resolve) => setTimeout(resolve, 15))
        }
      })
      return async () => {
        over.abort()
        await Promise.all(lanes)
      }
    },
  }
}

/** One of the kinds of requests that a shop sees: most are well. */
function mixed(send: DashboardWorld['send'], i: number): Promise<number> {
  const address = `198.51.100.${(i * i) % 23}`
  const app = `app-${(i * 3) % 11}`
  if (i % 9 === 0) return send({ path: `/orders/${i}`, address: '203.0.113.99', app: 'app-3' })
  if (i % 97 === 0) return send({ path: '/reports/1', address: `203.0.113.${i % 200}` })
  if (i % 41 === 0) return send({ path: '/upload', method: 'POST', body: 'x'.repeat(4096), address })
  if (i % 29 === 0) return send({ path: '/account', address })
  if (i % 37 === 0) return send({ path: '/nothing/here', address })
  if (i % 2 === 0) return send({ path: `/catalog/${i % 60}`, address, isSecure: i % 16 === 0 })
  return send({ path: `/orders/${i}`, address, app })
}

async function startService(t: TestContext): Promise<string> {
  return serviceOf(t, (incoming, response) => {
    const { url = '' } = incoming
    response.setHeader('content-type', 'application/json')
    // Some answers take their time, so that quantiles are apart.
    const waitMs = url.endsWith('7') ? 60 : url.endsWith('3') ? 15 : 1
    setTimeout(() => response.end(`{"path":${JSON.stringify(url)}}`), waitMs)
  })
}
