import type { GatewayModel } from '../config/model.ts'
import type { ApiKeyOrder } from '../identity/api-key-admin.ts'
import type { RevocationOrder } from '../identity/identity-admin.ts'
import type { UserOrder } from '../identity/login/user-admin.ts'
import type { InspectedToken } from '../identity/token-inspection.ts'
import { EnvironmentFault } from '../core/environment-fault.ts'
import { findGateway } from '../stores/sqlite/gateway-lock.ts'
import type { Arguments, Io } from './command.ts'
import { openDirectOffice } from './direct-office.ts'
import { loadModel } from './load-model.ts'
import { openRemoteOffice } from './remote-office.ts'

/** A user as commands show them. */
export interface UserLine {
  readonly name: string
  readonly subject: string
  readonly tenant?: string | undefined
  readonly roles: readonly string[]
  readonly isEnabled: boolean
  /** ISO 8601. */
  readonly createdAt: string
  readonly passwordAt: string
}

/** An API key as commands and the admin API show it; times in ISO 8601. */
export interface ApiKeyLine {
  readonly id: string
  readonly client: string
  readonly subject: string
  readonly tenant?: string | undefined
  readonly scopes: readonly string[]
  readonly roles: readonly string[]
  readonly addresses: readonly string[]
  readonly created: string
  /** Absent: never. */
  readonly expires?: string | undefined
  /** Absent: it was never used. */
  readonly lastUsed?: string | undefined
  readonly lastUsedFrom?: string | undefined
}

/**
 * The identity store as commands use it: through the admin API of the gateway that holds it, else directly. Every verb
 * rejects with an `EnvironmentFault` when the store or the gateway is at fault, else with a message for the user.
 */
export interface IdentityOffice {
  listUsers(): Promise<readonly UserLine[]>
  addUser(order: UserOrder): Promise<UserLine>
  setPassword(name: string, password: string): Promise<UserLine>
  disableUser(name: string): Promise<UserLine>
  enableUser(name: string): Promise<UserLine>
  inspectToken(token: string): Promise<InspectedToken>
  revoke(order: RevocationOrder): Promise<void>
  /** The key's text is in the answer, this once. */
  createApiKey(order: ApiKeyOrder): Promise<ApiKeyLine & { readonly key: string }>
  listApiKeys(): Promise<readonly ApiKeyLine[]>
  revokeApiKey(id: string): Promise<ApiKeyLine>
  /** Gives the id of the new key. */
  rotateKeys(): Promise<string>
  close(): Promise<void>
}

/** Runs `work` with the identity store of the configuration; undefined when that cannot be used, and was said to be so. */
export async function withOffice(
  args: Arguments,
  io: Io,
  work: (office: IdentityOffice) => Promise<number>,
): Promise<number | undefined> {
  const loaded = await loadModel(args, io)
  if (loaded === undefined) return undefined
  const office = await openOffice(loaded.model, io)
  try {
    return await work(office)
  } finally {
    await office.close()
  }
}

async function openOffice(model: GatewayModel, io: Io): Promise<IdentityOffice> {
  if (model.identity.own === undefined)
    throw new Error(
      'the configuration names no issuer, so there is nobody to keep: add identity.issuer, the https address of the gateway',
    )
  if (model.store.kind === 'embedded') {
    const holder = findGateway(model.store.path)
    if (holder !== undefined) {
      if (holder.admin === undefined)
        throw new EnvironmentFault(
          `${JSON.stringify(holder.name)} (process ${holder.pid}) holds the store and has no admin API: give its configuration an admin port, or stop it first`,
        )
      return openRemoteOffice(holder.admin, model, io.env)
    }
  }
  return openDirectOffice(model, io)
}
