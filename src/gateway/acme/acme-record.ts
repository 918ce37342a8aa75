import { createHash } from 'node:crypto'
import type { StoredRecord } from '../../core/stores.ts'
import type { DerivedKeys } from '../../identity/sealing.ts'
import { seal, unseal } from '../../identity/sealing.ts'
import { parseCertificate } from '../../wire/tls/certificate.ts'
import type { AcmeSpec, CertificateMaterial } from '../../wire/tls/tls-spec.ts'

/** The schema of both kinds of records. */
export const acmeSchema = 1

/** One name to be certified, and by whom. */
export interface AcmeWant extends Omit<AcmeSpec, 'names'> {
  readonly name: string
}

/** What the store holds of one certificate: itself, sealed; who orders it at the moment; and how that went. */
export interface AcmeState {
  readonly name: string
  readonly directory: string
  /** Certificate and key in PEM as JSON, sealed; absent: none was issued yet. */
  readonly sealed?: string | undefined
  readonly issuedAt?: number | undefined
  /** Orders since the last that succeeded. Each is counted before it is made, so that no crash forgets one. */
  readonly failures: number
  readonly lastOrderAt?: number | undefined
  readonly lastError?: string | undefined
  /** Nobody orders before. */
  readonly nextOrderAt: number
  /** The node that orders, and until when it is believed to live. */
  readonly lease?: { readonly holder: string; readonly until: number } | undefined
}

/** The names of a listener that ACME certifies, each with everything that an order needs. */
export function wantsOf({ names, ...rest }: AcmeSpec): AcmeWant[] {
  return names.map((name) => ({ ...rest, name }))
}

/** What the record of a certificate is called. */
export function certificateId({ directory, name }: AcmeWant): string {
  return digest(directory, name)
}

/** What the record of an account is called. */
export function accountId({ directory, email }: AcmeWant): string {
  return digest(directory, email)
}

/** The state in a record; what a newer version added stays in it. */
export function stateOf(record: StoredRecord): AcmeState {
  return record.value as unknown as AcmeState
}

/** A certificate as it may lie in the store. */
export function sealCertificate({ cert, key }: CertificateMaterial, id: string, keys: DerivedKeys): string {
  return seal(JSON.stringify({ cert, key }), `acme-certificate ${id}`, keys)
}

/** The certificate that was sealed; undefined when it was by another secret, or is none. */
export function unsealCertificate(state: AcmeState, id: string, keys: DerivedKeys): CertificateMaterial | undefined {
  const text = state.sealed === undefined ? undefined : unseal(state.sealed, `acme-certificate ${id}`, keys)
  if (text === undefined) return undefined
  try {
    const { cert, key } = JSON.parse(String(text)) as { cert: string; key: string }
    return parseCertificate(cert, key, [], state.directory)
  } catch {
    return undefined
  }
}

/** Whether it was sealed by an earlier secret, which may be forgotten some day. */
export function isSealedByPrevious(state: AcmeState, id: string, keys: DerivedKeys): boolean {
  return (
    state.sealed !== undefined &&
    unseal(state.sealed, `acme-certificate ${id}`, { ...keys, seal: keys.seal.slice(0, 1) }) === undefined
  )
}

function digest(...parts: string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url')
}
