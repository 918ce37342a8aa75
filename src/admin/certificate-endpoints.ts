import { jsonAnswer } from '../core/answer.ts'
import type { CertificateSource } from '../gateway/certificates.ts'
import type { AcmeStatus, CertificateStatus } from '../gateway/certificate-status.ts'
import type { Gateway } from '../gateway/gateway.ts'
import type { Endpoint } from './endpoint.ts'

/** A certificate as `GET /api/certificates` gives it; times as RFC 3339 texts, and what there is not is left out. */
export interface CertificateDocument {
  /** Where it is served: `listeners.NAME`, or `admin`. */
  readonly place: string
  readonly source: CertificateSource
  readonly names: readonly string[]
  readonly file?: string | undefined
  readonly notBefore?: string | undefined
  readonly notAfter?: string | undefined
  /** SHA-256 of the certificate, hex. */
  readonly fingerprint?: string | undefined
  /** Of certificates that are ordered (ACME). */
  readonly acme?: AcmeDocument | undefined
}

/** How things stand with a certificate that is ordered. */
export interface AcmeDocument extends Pick<AcmeStatus, 'name' | 'directory' | 'state' | 'failures' | 'lastError'> {
  readonly lastOrder?: string | undefined
  /** A renewal, or another attempt. */
  readonly nextOrder?: string | undefined
}

/** `GET /api/certificates`: every certificate that is served or waited for, and how its orders go. */
export function certificateEndpoints(gateway: Pick<Gateway, 'certificates'>): readonly Endpoint[] {
  return [
    {
      method: 'GET',
      path: '/api/certificates',
      roles: ['admin'],
      handle: () => jsonAnswer(200, { certificates: gateway.certificates().map(certificateDocument) }),
    },
  ]
}

function certificateDocument({ notBefore, notAfter, acme, ...rest }: CertificateStatus): CertificateDocument {
  return { ...rest, notBefore: instant(notBefore), notAfter: instant(notAfter), acme: acme && acmeDocument(acme) }
}

function acmeDocument({ lastOrderAt, nextOrderAt, ...rest }: AcmeStatus): AcmeDocument {
  return { ...rest, lastOrder: instant(lastOrderAt), nextOrder: instant(nextOrderAt) }
}

function instant(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : new Date(ms).toISOString()
}
