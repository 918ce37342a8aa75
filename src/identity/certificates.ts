import type { PeerCertificate } from 'node:tls'
import type { Exchange } from '../core/exchange.ts'
import type { MaybePromise } from '../core/handler.ts'
import type { Identity } from '../core/identity.ts'
import type { Authenticator } from './authenticators.ts'
import { certificateNameKinds, certificateNames, fingerprintOf } from './certificate-names.ts'
import type { CertificateNameKind } from './certificate-names.ts'
import type { CertificateSpec } from './identity-spec.ts'
import { KnownIdentity } from './known-identity.ts'
import { rejections } from './rejection.ts'
import type { Rejection } from './rejection.ts'
import type { Revocations } from './revocations.ts'
import { standing } from './standing.ts'

/** The `issuer` of identities that a client's certificate stands for. */
export const certificateIssuer = 'certificates'

/** Certificates whose holder is remembered, by listener; more than that begin anew. */
const maxKnown = 10_000

/** An entry of the configuration that leads from a name to somebody. */
interface Way {
  readonly pattern: string
  readonly spec: CertificateSpec
}

/**
 * Callers known by the certificate of their connection, which TLS has verified: chain, time and revocation lists. Who is
 * behind it the configuration says; a certificate that leads to nobody proves nobody.
 */
export class CertificateAuthenticator implements Authenticator {
  readonly kind = 'client-certificate'
  readonly #revocations: Revocations | undefined
  /** By kind of name: exact names, and patterns with the longest first. */
  readonly #exact = new Map<string, CertificateSpec[]>()
  readonly #patterns: Readonly<Record<CertificateNameKind, Way[]>>
  readonly #known = new Map<string, Identity | Rejection>()

  constructor(specs: readonly CertificateSpec[], revocations: Revocations | undefined) {
    this.#revocations = revocations
    this.#patterns = { fingerprint: [], uri: [], dns: [], email: [], commonName: [] }
    for (const spec of specs) {
      for (const kind of certificateNameKinds) for (const pattern of spec[kind]) this.#add(kind, pattern, spec)
    }
    for (const ways of Object.values(this.#patterns)) ways.sort((a, b) => b.pattern.length - a.pattern.length)
  }

  presented(x: Exchange): string | undefined {
    const certificate = x.connection.tls?.clientCertificate()
    return certificate === undefined ? undefined : fingerprintOf(certificate)
  }

  verify(fingerprint: string, x: Exchange, staleMs: number): MaybePromise<Identity | Rejection> {
    const { listener, tls } = x.connection
    const key = `${listener} ${fingerprint}`
    let found = this.#known.get(key)
    if (found === undefined) {
      found = this.#find(tls!.clientCertificate()!, listener)
      if (this.#known.size >= maxKnown) this.#known.clear()
      this.#known.set(key, found)
    }
    if (!(found instanceof KnownIdentity)) return found
    // A connection may outlive the certificate that it was opened with.
    if (found.expiresAt <= x.startedAt) return rejections['certificate-expired']
    return this.#revocations === undefined ? found : standing(found, this.#revocations, staleMs)
  }

  #add(kind: CertificateNameKind, pattern: string, spec: CertificateSpec): void {
    if (pattern.includes('*')) this.#patterns[kind].push({ pattern, spec })
    else {
      const key = `${kind} ${pattern}`
      this.#exact.set(key, [...(this.#exact.get(key) ?? []), spec])
    }
  }

  #find(certificate: PeerCertificate, listener: string): Identity | Rejection {
    const names = certificateNames(certificate)
    for (const kind of certificateNameKinds) {
      for (const name of names[kind]) {
        const exact = this.#exact.get(`${kind} ${name}`)?.find((spec) => isFor(spec, listener))
        const spec = exact ?? this.#patterns[kind].find((way) => isFor(way.spec, listener) && fits(name, way.pattern))?.spec
        if (spec !== undefined) return identityOf(spec, name, certificate)
      }
    }
    return rejections['unknown-certificate']
  }
}

function isFor({ listeners }: CertificateSpec, listener: string): boolean {
  return listeners.length === 0 || listeners.includes(listener)
}

/** `*.` in front stands for one label of a host name, `/*` behind for whatever follows in a URI. */
function fits(name: string, pattern: string): boolean {
  if (pattern.startsWith('*')) {
    const rest = pattern.slice(1)
    return name.endsWith(rest) && name.length > rest.length && !name.slice(0, -rest.length).includes('.')
  }
  const front = pattern.slice(0, -1)
  return name.startsWith(front) && name.length > front.length
}

function identityOf(spec: CertificateSpec, name: string, certificate: PeerCertificate): KnownIdentity {
  return new KnownIdentity({
    kind: 'client-certificate',
    issuer: certificateIssuer,
    subject: spec.subject ?? name,
    tenant: spec.tenant,
    client: spec.name,
    scopes: spec.scopes,
    roles: spec.roles,
    expiresAt: Date.parse(certificate.valid_to),
    session: undefined,
    credentialId: fingerprintOf(certificate),
  })
}
