import type { GatewayModel } from '../config/model.ts'
import { storeFolder } from '../gateway/store-folder.ts'
import { findGateway } from '../stores/sqlite/gateway-lock.ts'
import type { AdminCall } from './admin-call.ts'
import { adminCaller } from './admin-call.ts'
import type { Io } from './command.ts'

const answersWithinMs = 1500

/**
 * How to call the gateway that runs with this configuration: the one that holds its store, or the one that answers on its
 * admin port. Undefined when none does. Rejects with an `EnvironmentFault` when there is one and its token cannot be had.
 */
export async function findRunning(model: GatewayModel, io: Io): Promise<AdminCall | undefined> {
  const held = model.store.kind === 'embedded' ? findGateway(model.store.path)?.admin : undefined
  const admin = held ?? addressOf(model)
  if (admin === undefined || (held === undefined && !(await isAlive(admin)))) return undefined
  return adminCaller(admin, storeFolder(model), io.env)
}

function addressOf({ admin }: GatewayModel): string | undefined {
  if (admin === undefined || admin.port === 0) return undefined
  const host = admin.host === '0.0.0.0' ? '127.0.0.1' : admin.host === '::' ? '::1' : admin.host
  return `http://${host.includes(':') ? `[${host}]` : host}:${admin.port}`
}

async function isAlive(admin: string): Promise<boolean> {
  try {
    const { ok } = await fetch(new URL('/healthz', admin), { redirect: 'error', signal: AbortSignal.timeout(answersWithinMs) })
    return ok
  } catch {
    return false
  }
}
