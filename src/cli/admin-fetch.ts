import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { join } from 'node:path'
import type { GatewayModel } from '../config/model.ts'
import { EnvironmentFault } from '../core/environment-fault.ts'
import { storeFolder } from '../gateway/store-folder.ts'
import type { FetchTrust } from '../wire/node/trusting-fetch.ts'
import { namesOf } from '../wire/tls/certificate.ts'

/**
 * How the admin server at this address is called: over TLS, only the certificate that the configuration names is
 * trusted, or the development authority of the store's folder. Rejects with an `EnvironmentFault` when that cannot be read.
 */
export async function adminFetch(admin: string, model: GatewayModel): Promise<typeof globalThis.fetch> {
  if (!admin.startsWith('https:')) return globalThis.fetch
  const trust = trustOf(admin, model)
  const { createTrustingFetch } = await import('../wire/node/trusting-fetch.ts')
  return createTrustingFetch(trust).fetch
}

function trustOf(admin: string, model: GatewayModel): FetchTrust {
  const tls = model.admin?.tls
  const own = tls?.certificates.at(0)
  if (own === undefined) {
    // A gateway that was started with other settings may still be by this authority; whoever is not, is refused.
    return { ca: read(join(storeFolder(model), 'dev-ca.pem'), admin) }
  }
  const ca = read(own.cert, admin)
  return { ca, isPinned: true, serverName: serverNameOf(ca, own.names) }
}

/** A name to ask for, so that it is this certificate that the server comes with; undefined for one that has addresses only. */
function serverNameOf(cert: string, configured: readonly string[]): string | undefined {
  const names = configured.length > 0 ? configured : namesOf(new X509Certificate(cert))
  return names.find((name) => isIP(name) === 0)?.replace(/^\*/, 'admin')
}

function read(file: string, admin: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (thrown) {
    const reason = (thrown as Error).message
    throw new EnvironmentFault(`what ${admin} is known by cannot be read from ${file}: ${reason}`, { cause: thrown })
  }
}
