/** How a listener terminates TLS, after the configuration was checked: paths absolute, names lower case. */
export interface TlsSpec {
  /** Adds a certificate of the development authority for "localhost", the loopback addresses and `devNames`. */
  readonly dev: boolean
  readonly devNames: readonly string[]
  /** The first is the default. `names` empty: those of the certificate itself. */
  readonly certificates: readonly { readonly cert: string; readonly key: string; readonly names: readonly string[] }[]
  /** What is ordered of an authority; with it, there may be no certificate for a while. */
  readonly acme?: AcmeSpec | undefined
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3'
  /** Undefined: clients are not asked for certificates. */
  readonly clientCertificates?: ClientCertificatesSpec | undefined
}

/** Certificates that an authority issues by itself (ACME, RFC 8555), one for each name. */
export interface AcmeSpec {
  /** Whom the authority may write to. */
  readonly email: string
  /** Lower case. */
  readonly names: readonly string[]
  /** The URL of the authority's directory. */
  readonly directory: string
  /** The path of the authorities that the directory's own certificate is checked against; undefined: those of Node.js. */
  readonly directoryCa?: string | undefined
}

/** Who may connect, by certificate. */
export interface ClientCertificatesSpec {
  readonly mode: 'optional' | 'required'
  /** The path of the authorities' certificates. */
  readonly ca: string
  /** The paths of the authorities' revocation lists; absent or empty: nothing is asked of such. */
  readonly crl?: readonly string[] | undefined
}

/** A certificate with its key, checked to belong together. Plain data, so that main can post it to its workers. */
export interface CertificateMaterial {
  /** Where it came from, for log lines. */
  readonly source: string
  /** PEM: the server's certificate first, then the intermediate ones. */
  readonly cert: string
  /** PEM, unencrypted. */
  readonly key: string
  /** Lower-case host names (`*.example.com` for one label in front) and addresses that it is chosen for. */
  readonly names: readonly string[]
  /** Milliseconds since 1970. */
  readonly validFrom: number
  readonly expiresAt: number
  /** SHA-256 of the server's certificate, hex. */
  readonly fingerprint: string
}

/**
 * Everything a TLS terminator needs of the outside, the default certificate first. Without any, every handshake fails: an
 * authority has not issued one yet.
 */
export interface TlsMaterial {
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3'
  readonly certificates: readonly CertificateMaterial[]
  /** How clients are asked for certificates. */
  readonly clients?: ClientsMaterial | undefined
}

/** What certificates of clients are checked against. */
export interface ClientsMaterial {
  readonly mode: 'optional' | 'required'
  /** The authorities that sign them, PEM. */
  readonly ca: string
  /** Revocation lists, each PEM. With any, every authority of a chain needs one that is not past its next update. */
  readonly crl?: readonly string[] | undefined
  /** What the lists revoke, for connections that are open already. */
  readonly revoked?: readonly RevokedCertificates[] | undefined
}

/** Certificates of one authority that may not be used any more. */
export interface RevokedCertificates {
  /** The authority's certificate, PEM. */
  readonly authority: string
  /** Serial numbers as Node writes them: hex in upper case. */
  readonly serials: readonly string[]
}
