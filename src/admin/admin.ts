import type { Clock } from '../core/clock.ts'
import type { Log } from '../core/log.ts'
import { storeFolder } from '../gateway/store-folder.ts'
import type { Gateway } from '../gateway/gateway.ts'
import type { Reloader } from '../gateway/reloader.ts'
import { ShadowSwitch } from '../gateway/shadow-switch.ts'
import { createAdminHandler } from './admin-handler.ts'
import { loadAdminTokens } from './admin-tokens.ts'
import type { AdminTokens } from './admin-tokens.ts'
import { dashboardEndpoints } from './dashboard-endpoints.ts'
import { dashboardFiles } from './dashboard-files.ts'
import { createDashboardSessions } from './dashboard-sessions.ts'
import { adminEndpoints } from './endpoints.ts'
import type { HandlerServer } from './handler-server.ts'
import { openHandlerServer } from './handler-server.ts'
import { createHostCheck } from './host-check.ts'
import { createProbes } from './probes.ts'

export interface AdminOptions {
  readonly gateway: Gateway
  readonly reloader: Reloader
  readonly env: NodeJS.ProcessEnv
  readonly clock: Clock
  readonly log: Log
}

/** The admin surface of a node, as far as its configuration asks for it. */
export interface Admin {
  readonly server: HandlerServer | undefined
  readonly probes: HandlerServer | undefined
  readonly tokens: AdminTokens | undefined
  close(): Promise<void>
}

/** Opens the admin port and the probes' port. Rejects, having opened nothing, with an `EnvironmentFault`. */
export async function openAdmin(options: AdminOptions): Promise<Admin> {
  const { gateway, reloader, env, clock, log } = options
  const { admin, probes } = gateway.model
  const opened: HandlerServer[] = []
  const shadows = new ShadowSwitch({ gateway, clock, log })
  const close = async (): Promise<void> => {
    shadows.close()
    await Promise.all(opened.map((server) => server.close()))
  }
  const open = async (
    name: string,
    place: { host: string; port: number },
    handler: Parameters<typeof openHandlerServer>[0]['handler'],
    tls?: Parameters<typeof openHandlerServer>[0]['tls'],
  ): Promise<HandlerServer> => {
    const server = await openHandlerServer({ name, host: place.host, port: place.port, handler, clock, log, tls })
    opened.push(server)
    return server
  }
  try {
    const tokens = admin === undefined ? undefined : loadAdminTokens(storeFolder(gateway.model), env, log)
    let opening: HandlerServer | undefined
    const material = gateway.adminTls((next) => {
      try {
        opening?.updateCertificates(next)
      } catch (error) {
        log.error('new certificates of the admin server are unusable; the ones before stay', { error })
      }
    })
    const sessions = createDashboardSessions(clock, material !== undefined)
    const server =
      admin === undefined
        ? undefined
        : await open(
            'admin',
            admin,
            createAdminHandler({
              endpoints: [
                ...dashboardFiles(),
                ...dashboardEndpoints(tokens!, sessions),
                ...adminEndpoints(gateway, reloader, shadows),
              ],
              tokens: tokens!,
              sessions,
              isOwnHost: createHostCheck(admin.host, admin.names),
            }),
            material === undefined ? undefined : { material, meter: gateway.meter },
          )
    opening = server
    return { server, tokens, probes: probes === undefined ? undefined : await open('probes', probes, createProbes(gateway)), close }
  } catch (thrown) {
    await close()
    throw thrown
  }
}
