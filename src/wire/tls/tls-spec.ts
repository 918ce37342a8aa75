/** How a listener terminates TLS, after the configuration was checked: paths absolute, names lower case. */
export interface TlsSpec {
  /** Adds a certificate of the development authority for "localhost", the loopback addresses and `devNames`. */
  readonly dev: boolean
  readonly devNames: readonly string[]
  /** The first is the default. `names` empty: those of the certificate itself. */
  readonly certificates: readonly { readonly cert: string; readonly key: string; readonly names: readonly string[] }[]
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3'
  /** Undefined: clients are not asked for certificates. `ca` is a path. */
  readonly clientCertificates?: { readonly mode: 'optional' | 'required'; readonly ca: string } | undefined
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

/** Everything a TLS terminator needs of the outside: at least one certificate, the default first. */
export interface TlsMaterial {
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3'
  readonly certificates: readonly CertificateMaterial[]
  /** How clients are asked for certificates, and the authorities that sign them (PEM). */
  readonly clients?: { readonly mode: 'optional' | 'required'; readonly ca: string } | undefined
}
