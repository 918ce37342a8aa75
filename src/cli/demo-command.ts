import { randomBytes } from 'node:crypto'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { loadGateway } from '../config/load.ts'
import type { LoadResult } from '../config/load.ts'
import type { GatewayModel } from '../config/model.ts'
import { formatFindings } from '../config/format-findings.ts'
import { UserFault } from '../identity/login/user-admin.ts'
import { storeFolder } from '../gateway/store-folder.ts'
import { EnvironmentFault } from '../gateway/environment-fault.ts'
import type { Command, Io } from './command.ts'
import { exitCode } from './command.ts'
import { demoConfig, demoFolder } from './demo-place.ts'
import { untilStopped } from './run-command.ts'
import { serve } from './serve.ts'
import type { Serving } from './serve.ts'

/** What `demo/` gives; it is part of the checkout, not of the published package, so it is loaded by its place. */
interface DemoServices {
  readonly token: string
  readonly person: { readonly id: string; readonly tenant: string; readonly roles: readonly string[] }
  readonly addresses: Readonly<Record<'auth' | 'orders' | 'billing' | 'users', string>>
  close(): Promise<void>
}
interface StartModule {
  readonly startDemoServices: (options?: {
    ports?: Partial<Record<keyof DemoServices['addresses'], number>>
  }) => Promise<DemoServices>
}
interface LinesModule {
  readonly curlLines: (options: {
    gateway: string
    authorityPath: string
    token: string
  }) => readonly { title: string; command: string }[]
}

export const demoCommand: Command = {
  usage: '',
  options: {},
  maxPositionals: 0,
  async run(_, io) {
    const services = await startServices()
    try {
      const load = (): Promise<LoadResult> => loadDemo(services, io)
      const first = await load()
      const { model } = first
      if (model === undefined) {
        io.err(formatFindings(first.findings, io.folder))
        return exitCode.input
      }
      const logFile = join(storeFolder(model), 'demo.log')
      const serving = await serve({ first: { ...first, model }, load, workers: 'auto', env: io.env, logFile })
      const password = await demoPassword(serving, services.person)
      io.out(await banner(serving, services, password, logFile, io))
      return await untilStopped(serving, 0, 5000)
    } finally {
      await services.close()
    }
  },
}

/** On their usual ports; on any where one of those is taken. */
async function startServices(): Promise<DemoServices> {
  const { startDemoServices } = (await import(new URL('start-demo-services.ts', demoFolder).href)) as StartModule
  try {
    return await startDemoServices()
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw thrown
    return startDemoServices({ ports: { auth: 0, orders: 0, billing: 0, users: 0 } })
  }
}

/** The demo's configuration, with its access log in a file so that the terminal stays readable. */
async function loadDemo({ addresses }: DemoServices, io: Io): Promise<LoadResult> {
  const env = {
    ...io.env,
    DEMO_AUTH_URL: addresses.auth,
    DEMO_ORDERS_URL: addresses.orders,
    DEMO_USERS_URL: addresses.users,
    DEMO_BILLING_URL: addresses.billing,
  }
  const loaded = await loadGateway(fileURLToPath(demoConfig), { env, print: io.err })
  if (loaded.model === undefined) return loaded
  const model: GatewayModel = { ...loaded.model, log: { ...loaded.model.log, file: join(storeFolder(loaded.model), 'access.log') } }
  return { ...loaded, model }
}

/** Gives the demo user a new password at each start; whoever was logged in before is not any more. */
async function demoPassword({ gateway }: Serving, { id, tenant, roles }: DemoServices['person']): Promise<string> {
  const { users } = gateway
  if (users === undefined) throw new EnvironmentFault('the demo needs identity.issuer')
  const password = randomBytes(8).toString('hex')
  try {
    await users.add({ name: id, password, tenant, roles, subject: id })
  } catch (thrown) {
    if (!(thrown instanceof UserFault) || thrown.kind !== 'taken') throw thrown
    await users.setPassword(id, password)
    await users.enable(id)
  }
  return password
}

async function banner(serving: Serving, services: DemoServices, password: string, logFile: string, io: Io): Promise<string> {
  const { curlLines } = (await import(new URL('curl-lines.ts', demoFolder).href)) as LinesModule
  const { gateway, admin } = serving
  const secure = gateway.model.listeners.find(({ tls }) => tls !== undefined)
  const authority = gateway.devAuthorityPath
  if (secure === undefined || authority === undefined)
    throw new EnvironmentFault('the demo needs a listener with tls: { dev: true }')
  const url = `https://localhost:${secure.port}`
  const lines = curlLines({ gateway: url, authorityPath: near(io, authority), token: services.token })
  const plain = gateway.model.listeners.find(({ redirectPort }) => redirectPort !== undefined)
  const rows: [string, string][] = [
    ['gateway', plain === undefined ? url : `${url}  (http://localhost:${plain.port} leads there)`],
    ...Object.entries(services.addresses),
  ]
  if (admin.server !== undefined)
    rows.push(['admin', `${admin.server.url}  (token in ${near(io, admin.tokens?.adminFile ?? 'VELUM_ADMIN_TOKEN')})`])
  // The fragment is sent to nobody: the page exchanges it for a cookie and takes it out of the address bar.
  const dashboard =
    admin.server === undefined ? '' : `The dashboard, signed in:\n\n  ${admin.server.url}/#token=${admin.tokens!.admin}\n\n`
  rows.push(['logs', `${near(io, gateway.model.log.file)}, ${near(io, logFile)}`])
  const places = rows.map(([name, place]) => `  ${name.padEnd(8)}  ${place}\n`).join('')
  const tries = lines.map(({ title, command }) => `  # ${title}\n  ${command}\n`).join('\n')
  return `Velum is running.\n\n${places}\n${dashboard}The demo user is ada. In a browser she logs in at ${url}/users/me;\nher devices and passkeys are at ${url}/auth/account\n(trust ${near(io, authority)}, or click the warning away); her password until the next start:\n\n  ${password}\n\nHer token, good for twelve hours:\n\n  ${services.token}\n\nPaste these, one after the other:\n\n${tries}\nCtrl-C stops all of it.\n`
}

/** A path as one would type it from here. */
function near(io: Io, path: string): string {
  const short = relative(io.folder, path)
  return short.startsWith('..') ? path : short
}
