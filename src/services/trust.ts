import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createSecureContext, getCACertificates } from 'node:tls'
import type { SecureContext } from 'node:tls'
import type { Closable, Hold } from '../core/lasting.ts'
import type { ServiceTlsSpec } from './service-spec.ts'

/** What the targets of a service are checked against, and our own certificate for them. */
export interface Trust extends Closable {
  readonly context: SecureContext
  /** Tells what is in it: the same key, the same certificates. */
  readonly key: string
}

/**
 * The trust that a service's `tls` names. Its files are read when a Generation is compiled, so that a reload brings
 * renewed ones. Throws when one cannot be read or used.
 */
export function serviceTrust(hold: Hold, tls: ServiceTlsSpec | undefined): Trust {
  const files = readFiles(tls)
  if (files === undefined) return systemTrust(hold)
  const { ca, cert, key, hash } = files
  return hold.take(`services/trust/${hash}`, (): Trust => {
    const own = { ...(cert === undefined ? {} : { cert }), ...(key === undefined ? {} : { key }) }
    const context = createSecureContext({ ca: ca ?? systemAuthorities(), ...own, minVersion: 'TLSv1.2' })
    return { context, key: hash, close() {} }
  })
}

/** Tells what stands in the files that a service's `tls` names; undefined where it names none. Throws when one cannot be read. */
export function trustFiles(tls: ServiceTlsSpec | undefined): string | undefined {
  return readFiles(tls)?.hash
}

interface TrustFiles {
  readonly ca: string | undefined
  readonly cert: string | undefined
  readonly key: string | undefined
  readonly hash: string
}

function readFiles(tls: ServiceTlsSpec | undefined): TrustFiles | undefined {
  if (tls?.ca === undefined && tls?.client === undefined) return undefined
  const ca = tls.ca === undefined ? undefined : read(tls.ca)
  const cert = tls.client === undefined ? undefined : read(tls.client.cert)
  const key = tls.client === undefined ? undefined : read(tls.client.key)
  const hash = createHash('sha256')
    .update(JSON.stringify([ca, cert, key]))
    .digest('hex')
  return { ca, cert, key, hash }
}

/**
 * What https services are checked against when they name nothing else. Reading some three hundred certificates takes
 * tens of milliseconds, so it is done once and only when somebody needs it.
 */
function systemTrust(hold: Hold): Trust {
  return hold.take('services/trust/system', (): Trust => {
    return { context: createSecureContext({ ca: systemAuthorities(), minVersion: 'TLSv1.2' }), key: 'system', close() {} }
  })
}

/** The authorities that come with Node.js, those that the machine trusts, and NODE_EXTRA_CA_CERTS. */
function systemAuthorities(): string[] {
  return [...new Set([...getCACertificates('default'), ...getCACertificates('system')])]
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (thrown) {
    throw new Error(`${path} cannot be read`, { cause: thrown })
  }
}
