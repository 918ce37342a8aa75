import type { GatewayModel } from '../config/model.ts'
import { adminUrl } from '../admin/handler-server.ts'
import { findGateway } from '../stores/sqlite/gateway-lock.ts'
import type { AdminCall } from './admin-call.ts'
import { adminCaller } from './admin-call.ts'
import { adminFetch } from './admin-fetch.ts'
import type { Io } from './command.ts'

const answersWithinMs = 1500

/**
 * How to call the gateway that runs with this configuration: the one that holds its store, or the one that answers on its
 * admin port. Undefined when none does. Rejects with an `EnvironmentFault` when there is one and its token cannot be had.
 */
export async function findRunning(model: GatewayModel, io: Io): Promise<AdminCall | undefined> {
  const held = model.store.kind === 'embedded' ? findGateway(model.store.path)?.admin : undefined
  const admin = held ?? addressOf(model)
  if (admin === undefined || (held === undefined && !(await isAlive(admin, model)))) return undefined
  return adminCaller(admin, model, io.env)
}

function addressOf({ admin }: GatewayModel): string | undefined {
  if (admin === undefined || admin.port === 0) return undefined
  return adminUrl(admin.host, admin.port, admin.tls !== undefined)
}

async function isAlive(admin: string, model: GatewayModel): Promise<boolean> {
  try {
    const asking = await adminFetch(admin, model)
    const { ok } = await asking(new URL('/healthz', admin), { redirect: 'error', signal: AbortSignal.timeout(answersWithinMs) })
    return ok
  } catch {
    return false
  }
}
