import { X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import type * as X509 from '@peculiar/x509'
import type { RevokedCertificates } from './tls-spec.ts'

const pemBlock = /-----BEGIN X509 CRL-----[\s\S]+?-----END X509 CRL-----/g
const certificateBlock = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g

/**
 * The revocation lists (RFC 5280 §5) of a file, each as PEM: several in PEM, or one in DER, as authorities publish it.
 * Throws an Error that says in one sentence what is wrong. Whether a list is fresh is TLS's to judge, at each handshake.
 */
export function parseRevocationLists(bytes: Buffer): string[] {
  const lists = bytes[0] === 0x30 ? [pemOf(bytes)] : bytes.toString('latin1').match(pemBlock)
  if (lists === null) throw new Error('the file of revocation lists holds no PEM block "BEGIN X509 CRL", and is no DER')
  for (const [index, crl] of lists.entries()) {
    try {
      createSecureContext({ crl })
    } catch (thrown) {
      throw new Error(`revocation list ${index + 1} of the file cannot be read`, { cause: thrown })
    }
  }
  return [...lists]
}

/** What revocation lists say, for those who hold open connections. */
export interface ReadLists {
  readonly revoked: readonly RevokedCertificates[]
  /** Milliseconds since 1970 of the earliest next update: from then on its authority's clients are refused. Infinity: never. */
  readonly endsAt: number
}

/** Reads lists that were parsed before; one that none of the authorities issued says nothing. */
export async function readRevocationLists(lists: readonly string[], authorities: string): Promise<ReadLists> {
  await import('reflect-metadata') // what the next line needs
  const x509: typeof X509 = await import('@peculiar/x509')
  const issuers = (authorities.match(certificateBlock) ?? []).map((pem) => ({
    pem,
    subject: new x509.X509Certificate(pem).subject,
  }))
  let endsAt = Infinity
  const revoked: RevokedCertificates[] = []
  for (const pem of lists) {
    const list = new x509.X509Crl(pem)
    endsAt = Math.min(endsAt, list.nextUpdate?.getTime() ?? Infinity)
    const serials = list.entries.map(({ serialNumber }) => serialOf(serialNumber))
    for (const issuer of issuers) if (issuer.subject === list.issuer) revoked.push({ authority: issuer.pem, serials })
  }
  return { revoked, endsAt }
}

/** Whether one of the lists revokes a certificate. */
export function isRevokedBy(revoked: readonly RevokedCertificates[], certificate: X509Certificate): boolean {
  const serial = serialOf(certificate.serialNumber)
  return revoked.some(
    ({ authority, serials }) => serials.includes(serial) && certificate.checkIssued(new X509Certificate(authority)),
  )
}

/** Leading zeros are written by some and not by others. */
function serialOf(hex: string): string {
  return hex.toUpperCase().replace(/^0+(?=.)/, '')
}

function pemOf(der: Buffer): string {
  const lines = der
    .toString('base64')
    .replaceAll(/(.{64})/g, '$1\n')
    .trimEnd()
  return `-----BEGIN X509 CRL-----\n${lines}\n-----END X509 CRL-----`
}
