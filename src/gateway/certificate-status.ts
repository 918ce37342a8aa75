import type { CertificateSource, ServedCertificate } from './certificates.ts'
import type { Family } from './meter-totals.ts'
import { readFamily } from './process-families.ts'

/** How things stand with a certificate that is ordered by ACME. Times are milliseconds since 1970. */
export interface AcmeStatus {
  /** The name that the certificate is for. */
  readonly name: string
  /** The URL of the authority's directory. */
  readonly directory: string
  /** `waiting`: there is none yet; `ordering`: some node of the fleet is at it; `failing`: the latest order failed. */
  readonly state: 'waiting' | 'ordering' | 'issued' | 'failing'
  /** Orders that failed since the last that did not. */
  readonly failures: number
  readonly lastOrderAt: number | undefined
  /** Why the latest order failed; undefined when it did not. */
  readonly lastError: string | undefined
  /** When the next order is due: a renewal, or another attempt. */
  readonly nextOrderAt: number | undefined
}

/** A certificate as operators see it: one that is served, or one that is still to be issued. */
export interface CertificateStatus {
  /** Where: `listeners.NAME`, or `admin`. */
  readonly place: string
  readonly source: CertificateSource
  readonly names: readonly string[]
  /** The file that it was read from; undefined for others. */
  readonly file: string | undefined
  /** Milliseconds since 1970; undefined while there is none. */
  readonly notBefore: number | undefined
  readonly notAfter: number | undefined
  /** SHA-256, hex; undefined while there is none. */
  readonly fingerprint: string | undefined
  /** Of certificates that are ordered. */
  readonly acme: AcmeStatus | undefined
}

/** What is served, and at the end of it what is still waited for, by place. */
export function certificateStatuses(
  served: readonly ServedCertificate[],
  ordered: readonly { readonly place: string; readonly status: AcmeStatus }[],
): CertificateStatus[] {
  const found = served.map(({ place, source, material }): CertificateStatus => {
    const acme = ordered.find((one) => source === 'acme' && one.place === place && material.names.includes(one.status.name))
    return {
      place,
      source,
      names: material.names,
      file: source === 'file' ? material.source : undefined,
      notBefore: material.validFrom,
      notAfter: material.expiresAt,
      fingerprint: material.fingerprint,
      acme: acme?.status,
    }
  })
  const nothing = { file: undefined, notBefore: undefined, notAfter: undefined, fingerprint: undefined }
  const missing = ordered.filter(({ status }) => !found.some(({ acme }) => acme === status))
  return [
    ...found,
    ...missing.map(({ place, status }): CertificateStatus =>
      Object.assign({ place, source: 'acme' as const, names: [status.name], acme: status }, nothing),
    ),
  ]
}

/** When each certificate ends, and how often in a row those that are ordered could not be had. */
export function certificateFamilies(statuses: readonly CertificateStatus[]): Family[] {
  return [
    readFamily(
      'gauge',
      'velum_certificate_expiry_timestamp_seconds',
      'When a certificate that is served ends, in seconds since 1970; by its place in the configuration and its first name.',
      statuses.flatMap(({ place, source, names, notAfter }) =>
        notAfter === undefined ? [] : [[{ place, source, name: names[0] ?? '' }, notAfter / 1000] as const],
      ),
    ),
    readFamily(
      'gauge',
      'velum_acme_failures',
      'Orders of a certificate that failed since the last that did not, over the fleet.',
      statuses.flatMap(({ acme }) => (acme === undefined ? [] : [[{ name: acme.name }, acme.failures] as const])),
    ),
  ]
}
