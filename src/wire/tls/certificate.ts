import { X509Certificate, createPrivateKey } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import type { CertificateMaterial } from './tls-spec.ts'

const pemBlock = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g
// What may stand in a subjectAltName and in SNI: labels of letters, digits, "-" and "_", a leading "*." at most.
const hostPattern = /^(?:\*\.)?(?:[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*$/

/**
 * A certificate chain and its key from PEM text. Throws an Error that says in one sentence what is wrong: not PEM,
 * an encrypted key, a key that belongs to another certificate, a key that TLS refuses. Expiry is the caller's to judge.
 */
export function parseCertificate(cert: string, key: string, names: readonly string[], source: string): CertificateMaterial {
  const blocks = cert.match(pemBlock)
  if (blocks === null) throw new Error('the certificate file holds no PEM block "BEGIN CERTIFICATE"')
  const [leaf] = blocks.map((block, index) => {
    try {
      return new X509Certificate(block)
    } catch (thrown) {
      throw new Error(`certificate ${index + 1} of the file cannot be read`, { cause: thrown })
    }
  })
  if (!leaf.checkPrivateKey(parseKey(key))) throw new Error('the key does not belong to the certificate')
  if (leaf.ca) throw new Error("the first certificate of the file is an authority, not a server: the server's own comes first")
  try {
    createSecureContext({ cert, key })
  } catch (thrown) {
    throw new Error(`TLS refuses the pair: ${reasonOf(thrown)}`, { cause: thrown })
  }
  return {
    source,
    cert,
    key,
    names: names.length > 0 ? names.map((name) => name.toLowerCase()) : namesOf(leaf),
    validFrom: leaf.validFromDate.getTime(),
    expiresAt: leaf.validToDate.getTime(),
    fingerprint: leaf.fingerprint256.replaceAll(':', '').toLowerCase(),
  }
}

const warnMs = 14 * 86_400_000

/** Whether it is time to worry that nobody renewed a certificate: 14 days before its end, or the last third of a short life. */
export function isEndNear({ validFrom, expiresAt }: Pick<CertificateMaterial, 'validFrom' | 'expiresAt'>, now: number): boolean {
  return expiresAt - now < Math.min(warnMs, (expiresAt - validFrom) / 3)
}

/** Checks that PEM text holds certificates, all of them readable. Throws an Error that says in one sentence what is wrong. */
export function parseAuthorities(pem: string): void {
  const blocks = pem.match(pemBlock)
  if (blocks === null) throw new Error('the file of authorities holds no PEM block "BEGIN CERTIFICATE"')
  for (const [index, block] of blocks.entries()) {
    try {
      // Reading it is the check; nothing else is wanted of it.
      void new X509Certificate(block).fingerprint256
    } catch (thrown) {
      throw new Error(`certificate ${index + 1} of the file of authorities cannot be read`, { cause: thrown })
    }
  }
}

function parseKey(key: string): KeyObject {
  try {
    return createPrivateKey(key)
  } catch (thrown) {
    const text = String(thrown)
    if (key.includes('ENCRYPTED') || /passphrase|interrupted or cancelled/i.test(text)) {
      throw new Error('the key is encrypted; it must be without a passphrase', { cause: thrown })
    }
    throw new Error('the key file holds no private key in PEM', { cause: thrown })
  }
}

/** Host names and addresses of a certificate's subjectAltName; the common name counts for nothing (RFC 9525 §2). */
export function namesOf(certificate: X509Certificate): string[] {
  const names: string[] = []
  // Node quotes an entry that could be read in two ways; such a name is never a host name.
  for (const entry of (certificate.subjectAltName ?? '').split(', ')) {
    const colon = entry.indexOf(':')
    const kind = entry.slice(0, colon)
    const value = entry.slice(colon + 1).toLowerCase()
    if (kind === 'DNS' && hostPattern.test(value)) names.push(value)
    else if (kind === 'IP Address') names.push(shortAddress(value))
  }
  return names
}

/** Node prints every group of an IPv6 address; URLs and Host fields carry the shortest form. */
function shortAddress(address: string): string {
  if (!address.includes(':')) return address
  return new URL(`http://[${address}]/`).hostname.slice(1, -1)
}

function reasonOf(thrown: unknown): string {
  const reason = (thrown as { reason?: unknown }).reason
  return typeof reason === 'string' ? reason : thrown instanceof Error ? thrown.message : String(thrown)
}
