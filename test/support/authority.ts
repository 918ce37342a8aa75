import { webcrypto } from 'node:crypto'

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const dayMs = 86_400_000

/** A certificate and its key, in PEM. */
export interface Pair {
  readonly cert: string
  readonly key: string
}

/** An authority that signs certificates for one test. */
export interface TestAuthority {
  /** PEM. */
  readonly cert: string
  /** Good for servers at 127.0.0.1 and `name`, and for clients called `name`. */
  issue(name: string, more?: LeafParts): Promise<Pair>
  /** A revocation list, PEM: of these serial numbers, good until `nextUpdate` (default: a day). */
  revocationList(serials: readonly string[], nextUpdate?: Date): Promise<string>
}

export interface LeafParts {
  /** A URI in the subjectAltName. */
  readonly uri?: string
  /** Two hex digits. */
  readonly serial?: string
  readonly notAfter?: Date
}

function pemOf(label: string, der: Buffer): string {
  const lines = der
    .toString('base64')
    .replaceAll(/(.{64})/g, '$1\n')
    .trimEnd()
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`
}

export async function createTestAuthority(name: string): Promise<TestAuthority> {
  await import('reflect-metadata') // what the next line needs
  const x509 = await import('@peculiar/x509')
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const times = { notBefore: new Date(Date.now() - dayMs), notAfter: new Date(Date.now() + dayMs) }
  const own = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: '01',
    name: `CN=${name}`,
    ...times,
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
    ],
  })
  let serial = 1
  return {
    cert: own.toString('pem'),
    async issue(subject, { uri, serial: ownSerial, notAfter = times.notAfter } = {}) {
      const leafKeys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
      const leaf = await x509.X509CertificateGenerator.create({
        serialNumber: ownSerial ?? String(++serial).padStart(2, '0'),
        subject: `CN=${subject}`,
        issuer: own.subject,
        notBefore: times.notBefore,
        notAfter,
        signingAlgorithm: algorithm,
        publicKey: leafKeys.publicKey,
        signingKey: keys.privateKey,
        extensions: [
          new x509.BasicConstraintsExtension(false),
          new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
          new x509.SubjectAlternativeNameExtension([
            { type: 'dns', value: subject },
            { type: 'ip', value: '127.0.0.1' },
            ...(uri === undefined ? [] : [{ type: 'url' as const, value: uri }]),
          ]),
        ],
      })
      const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', leafKeys.privateKey))
      return { cert: leaf.toString('pem'), key: pemOf('PRIVATE KEY', der) }
    },
    async revocationList(serials, nextUpdate = times.notAfter) {
      const list = await x509.X509CrlGenerator.create({
        issuer: own.subject,
        thisUpdate: times.notBefore,
        nextUpdate,
        entries: serials.map((serialNumber) => ({ serialNumber, revocationDate: times.notBefore })),
        signingAlgorithm: algorithm,
        signingKey: keys.privateKey,
      })
      return pemOf('X509 CRL', Buffer.from(list.rawData))
    },
  }
}
