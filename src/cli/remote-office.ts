import type { ApiKeyOrder } from '../identity/api-key-admin.ts'
import type { GatewayModel } from '../config/model.ts'
import { adminCaller } from './admin-call.ts'
import type { ApiKeyLine, IdentityOffice, UserLine } from './identity-office.ts'

/** The identity store of a running gateway, by its admin API and the token that lies in the store's folder. */
export function openRemoteOffice(admin: string, model: GatewayModel, env: NodeJS.ProcessEnv): IdentityOffice {
  const call = adminCaller(admin, model, env)
  const user = (path: string, body: unknown): Promise<UserLine> => call('POST', path, body)
  return {
    listUsers: async () => (await call<{ users: readonly UserLine[] }>('GET', '/api/users')).users,
    addUser: (order) => user('/api/users', order),
    setPassword: (name, password) => user('/api/users/password', { name, password }),
    disableUser: (name) => user('/api/users/disable', { name }),
    enableUser: (name) => user('/api/users/enable', { name }),
    inspectToken: (text) => call('POST', '/api/tokens/inspect', { token: text }),
    revoke: (order) => call('POST', '/api/revocations', order),
    createApiKey: (order) => call('POST', '/api/keys', orderDocument(order)),
    listApiKeys: async () => (await call<{ keys: readonly ApiKeyLine[] }>('GET', '/api/keys')).keys,
    revokeApiKey: (id) => call('DELETE', `/api/keys/${encodeURIComponent(id)}`),
    rotateKeys: async () => (await call<{ kid: string }>('POST', '/api/keys/rotate')).kid,
    async close() {},
  }
}

function orderDocument({ expiresAt, ...order }: ApiKeyOrder): unknown {
  if (expiresAt === undefined) return order
  return { ...order, expires: expiresAt === Infinity ? 'never' : new Date(expiresAt).toISOString() }
}
