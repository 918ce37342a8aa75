import type { GatewayModel } from '../config/model.ts'
import { systemClock } from '../core/clock.ts'
import type { Log } from '../core/log.ts'
import { silentMeter } from '../core/meter.ts'
import { MainHub } from '../gateway/link.ts'
import { openNodeStore } from '../gateway/node-store.ts'
import { apiKeyDocument } from '../admin/api-key-endpoints.ts'
import { ApiKeyAdmin } from '../identity/api-key-admin.ts'
import { createAudit } from '../identity/audit.ts'
import { IdentityAdmin } from '../identity/identity-admin.ts'
import { attachIdentityToHub } from '../identity/identity-hub.ts'
import type { IdentitySpec } from '../identity/identity-spec.ts'
import { defaultPasswords } from '../identity/identity-spec.ts'
import { PasswordThreads } from '../identity/login/password-threads.ts'
import { UserAdmin } from '../identity/login/user-admin.ts'
import type { UserRow } from '../identity/login/users.ts'
import { deriveKeys } from '../identity/sealing.ts'
import { inspectToken } from '../identity/token-inspection.ts'
import type { Io } from './command.ts'
import type { IdentityOffice, UserLine } from './identity-office.ts'
import { asFaults } from './store-faults.ts'

/** The identity store opened by this process, while no gateway holds it. */
export async function openDirectOffice(model: GatewayModel, io: Io): Promise<IdentityOffice> {
  const { identity } = model
  const spec = identity.own!
  const clock = systemClock
  const log = stderrLog(io)
  const hub = new MainHub((topic, error) => log.error(`a message on ${topic} could not be handled`, { error }))
  const store = await openNodeStore({ ...model, name: 'a velum command' }, hub, clock, log)
  const { stores } = store
  const audit = createAudit(stores.audit, clock, log, silentMeter)
  const threads = new PasswordThreads({ clock, cost: spec.passwords ?? defaultPasswords, threads: 1 })
  const users = new UserAdmin({ spec, stores, clock, audit, passwords: () => threads })
  const admin = new IdentityAdmin({ spec, stores, clock, audit })
  const configured = identity.apiKeys.map(({ id }) => id)
  const apiKeys = new ApiKeyAdmin({ stores, clock, audit, keys: deriveKeys(store.secrets), configured })
  return {
    listUsers: () => asFaults(async () => (await users.list()).map(lineOf)),
    addUser: (order) => asFaults(async () => lineOf(await users.add(order))),
    setPassword: (name, password) => asFaults(async () => lineOf(await users.setPassword(name, password))),
    disableUser: (name) => asFaults(async () => lineOf(await users.disable(name))),
    enableUser: (name) => asFaults(async () => lineOf(await users.enable(name))),
    inspectToken: (token) => asFaults(() => inspectToken(token, { identity, stores, clock })),
    revoke: (order) => asFaults(() => admin.revoke(order)),
    createApiKey: (order) =>
      asFaults(async () => {
        const { key, row } = await apiKeys.create(order)
        return { key, ...apiKeyDocument(row) }
      }),
    listApiKeys: () => asFaults(async () => (await apiKeys.list()).map(apiKeyDocument)),
    revokeApiKey: (id) => asFaults(async () => apiKeyDocument(await apiKeys.revoke(id))),
    rotateKeys: () =>
      asFaults(async () => {
        const keys = attachIdentityToHub(hub, { clock, log, meter: silentMeter, store: () => store })
        try {
          // Nobody's keys but Velum's own are of interest here.
          const own: IdentitySpec = { ...identity, trustedIssuers: [] }
          await keys.prepare({ identity: own })
          keys.commit()
          return await keys.rotateKeys()
        } finally {
          keys.close()
        }
      }),
    async close() {
      await threads.close()
      await store.close()
    },
  }
}

function lineOf(row: UserRow): UserLine {
  return { ...row, createdAt: new Date(row.createdAt).toISOString(), passwordAt: new Date(row.passwordAt).toISOString() }
}

function stderrLog(io: Io): Log {
  const line = (message: string, fields: Readonly<Record<string, unknown>> = {}): void => {
    const { error, ...rest } = fields
    const facts = { ...rest, ...(error === undefined ? {} : { error: error instanceof Error ? error.message : error }) }
    io.err(`velum: ${message} ${JSON.stringify(facts)}\n`)
  }
  return { debug() {}, info() {}, warn: line, error: line }
}
