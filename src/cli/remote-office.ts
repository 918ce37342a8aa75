import { adminCaller } from './admin-call.ts'
import type { IdentityOffice, UserLine } from './identity-office.ts'

/** The identity store of a running gateway, by its admin API and the token that lies in the store's folder. */
export function openRemoteOffice(admin: string, folder: string, env: NodeJS.ProcessEnv): IdentityOffice {
  const call = adminCaller(admin, folder, env)
  const user = (path: string, body: unknown): Promise<UserLine> => call('POST', path, body)
  return {
    listUsers: async () => (await call<{ users: readonly UserLine[] }>('GET', '/api/users')).users,
    addUser: (order) => user('/api/users', order),
    setPassword: (name, password) => user('/api/users/password', { name, password }),
    disableUser: (name) => user('/api/users/disable', { name }),
    enableUser: (name) => user('/api/users/enable', { name }),
    inspectToken: (text) => call('POST', '/api/tokens/inspect', { token: text }),
    revoke: (order) => call('POST', '/api/revocations', order),
    rotateKeys: async () => (await call<{ kid: string }>('POST', '/api/keys/rotate')).kid,
    async close() {},
  }
}
