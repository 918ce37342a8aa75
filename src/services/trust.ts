import { createSecureContext, getCACertificates } from 'node:tls'
import type { SecureContext } from 'node:tls'
import type { Closable, Hold } from '../core/lasting.ts'

interface Trust extends Closable {
  readonly context: SecureContext
}

/**
 * What https services are checked against when they name nothing else: the authorities that come with Node.js, those
 * that the machine trusts, and NODE_EXTRA_CA_CERTS. Reading some three hundred certificates takes tens of milliseconds,
 * so it is done once and only when somebody needs it.
 */
export function systemTrust(hold: Hold): SecureContext {
  return hold.take('services/trust/system', (): Trust => {
    const authorities = new Set([...getCACertificates('default'), ...getCACertificates('system')])
    return { context: createSecureContext({ ca: [...authorities], minVersion: 'TLSv1.2' }), close() {} }
  }).context
}
