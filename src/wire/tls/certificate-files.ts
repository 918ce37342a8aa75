import { readFile } from 'node:fs/promises'
import type { Clock } from '../../core/clock.ts'
import { fileSignature, FileWatch } from '../../core/file-watch.ts'
import type { Log } from '../../core/log.ts'
import { stableJson } from '../../lib/stable-json.ts'
import { isEndNear, parseAuthorities, parseCertificate } from './certificate.ts'
import { ensureDevCertificate } from './dev-certificate.ts'
import { parseRevocationLists, readRevocationLists } from './revocation-list.ts'
import type { CertificateMaterial, ClientsMaterial, TlsMaterial, TlsSpec } from './tls-spec.ts'

const hourMs = 3_600_000
const dayMs = 86_400_000

/** What is wrong with one configured certificate. */
export interface CertificateProblem {
  /** Its place in `TlsSpec.certificates`. */
  readonly index: number
  readonly file: string
  readonly message: string
}

/** No usable certificates; carries every problem found. */
export class CertificateError extends Error {
  readonly problems: readonly CertificateProblem[]

  constructor(problems: readonly CertificateProblem[]) {
    super(problems.map(({ file, message }) => `${file}: ${message}`).join('; '))
    this.name = 'CertificateError'
    this.problems = problems
  }
}

export interface CertificateFilesOptions {
  readonly spec: TlsSpec
  /** The store's folder, where the development authority is kept. */
  readonly devFolder: string
  readonly clock: Clock
  readonly log: Log
  /** Some certificate was replaced by a newer one; for the workers. */
  changed(material: TlsMaterial): void
  /** How often files are looked at where the system does not tell of changes. */
  readonly pollMs?: number
  /** Rest after a change, since certificate and key are seldom written in one moment. */
  readonly settleMs?: number
}

/**
 * The certificates of a listener, kept fresh while files change. A pair that does not parse, does not match or has
 * expired never replaces a good one: it is warned of once, and tried again at the next change.
 */
export interface CertificateFiles {
  readonly material: TlsMaterial
  /** The development authority's certificate, for `curl --cacert`; undefined without `dev`. */
  readonly devAuthorityPath: string | undefined
  /** Reads all files now. */
  refresh(): Promise<void>
  close(): void
}

/** Reads the certificates and begins to watch them. Throws `CertificateError` with all problems at once. */
export async function createCertificateFiles(options: CertificateFilesOptions): Promise<CertificateFiles> {
  const { spec } = options
  const results = await Promise.all(spec.certificates.map((_, index) => readCertificate(spec, index)))
  const problems = results.filter((result) => 'message' in result)
  if (problems.length > 0) throw new CertificateError(problems)
  const certificates = results as CertificateMaterial[]
  let devAuthorityPath: string | undefined
  if (spec.dev) {
    const dev = await ensureDevCertificate(options.devFolder, spec.devNames, options.clock)
    devAuthorityPath = dev.authorityPath
    certificates.push(parseCertificate(dev.cert, dev.key, [], 'the development certificate'))
  }
  if (certificates.length === 0 && spec.acme === undefined) throw new Error('a TLS listener needs a certificate or `dev: true`')
  return new WatchedFiles(options, certificates, devAuthorityPath, await readClients(spec))
}

class WatchedFiles implements CertificateFiles {
  readonly devAuthorityPath: string | undefined
  readonly #options: CertificateFilesOptions
  readonly #watch: FileWatch
  readonly #warned: (string | undefined)[] = []
  #certificates: readonly CertificateMaterial[]
  #clients: ReadClients | undefined
  #signature = ''
  #refreshing: Promise<void> | undefined
  #devCheckedAt: number
  #warnedAt = 0
  #isClosed = false

  constructor(
    options: CertificateFilesOptions,
    certificates: readonly CertificateMaterial[],
    devAuthorityPath: string | undefined,
    clients: ReadClients | undefined,
  ) {
    this.#options = options
    this.#certificates = certificates
    this.devAuthorityPath = devAuthorityPath
    this.#clients = clients
    this.#devCheckedAt = options.clock.now()
    this.#warnOfEnds()
    this.#warnOfOldLists()
    const { clock, pollMs, settleMs } = options
    this.#watch = new FileWatch({
      paths: pathsOf(options.spec),
      clock,
      pollMs,
      settleMs,
      noticed: () => void this.refresh(),
      look: () => this.#look(),
    })
  }

  get material(): TlsMaterial {
    return { minVersion: this.#options.spec.minVersion, certificates: this.#certificates, clients: this.#clients?.material }
  }

  refresh(): Promise<void> {
    // One reading at a time; a change during it is seen by the one that follows.
    const next = (this.#refreshing ?? Promise.resolve()).then(() => this.#read())
    this.#refreshing = next
    return next
  }

  close(): void {
    this.#isClosed = true
    this.#watch.close()
  }

  async #look(): Promise<void> {
    if (this.#options.clock.now() - this.#warnedAt >= dayMs) this.#warnOfEnds()
    const isDevDue = this.#options.spec.dev && this.#options.clock.now() - this.#devCheckedAt >= hourMs
    if (isDevDue || (await fileSignature(pathsOf(this.#options.spec))) !== this.#signature) await this.refresh()
  }

  async #read(): Promise<void> {
    const { spec, clock } = this.#options
    const signature = await fileSignature(pathsOf(spec))
    const read = await Promise.all(spec.certificates.map((_, index) => readCertificate(spec, index)))
    const next = [...this.#certificates]
    for (const [index, result] of read.entries()) next[index] = this.#better(index, next[index], result)
    if (spec.dev) next[next.length - 1] = await this.#renewedDev(next[next.length - 1])
    // While a pair is refused the signature stays unknown, so that every look tries it again.
    this.#signature = this.#warned.every((warning) => warning === undefined) ? signature : ''
    const clients = await this.#readClients()
    const isSame =
      stableJson(clients?.material) === stableJson(this.#clients?.material) &&
      next.every((certificate, index) => certificate === this.#certificates[index])
    if (this.#isClosed || isSame) return
    this.#certificates = next
    this.#clients = clients
    this.#warnOfEnds()
    this.#warnOfOldLists()
    this.#options.log.info('certificates replaced', {
      certificates: next.map(({ source, expiresAt }) => ({ source, expires: new Date(expiresAt).toISOString() })),
      at: clock.now(),
    })
    this.#options.changed(this.material)
  }

  async #readClients(): Promise<ReadClients | undefined> {
    try {
      return await readClients(this.#options.spec)
    } catch (thrown) {
      const reason = messageOf(thrown)
      this.#options.log.warn('changed client authorities or revocation lists are not usable; the earlier ones stay', { reason })
      return this.#clients
    }
  }

  /** The pair to go on with: the one read if it is good, else the one that is there. */
  #better(index: number, current: CertificateMaterial, read: CertificateMaterial | CertificateProblem): CertificateMaterial {
    const now = this.#options.clock.now()
    let warning: string | undefined
    if ('message' in read) warning = `${read.file}: ${read.message}`
    else if (read.expiresAt <= now && current.expiresAt > now) warning = `${read.source}: has expired`
    if (warning !== undefined && warning !== this.#warned[index]) {
      this.#options.log.warn('a changed certificate is not usable; the earlier one stays', { reason: warning })
    }
    this.#warned[index] = warning
    if (warning !== undefined || 'message' in read) return current
    return read.fingerprint === current.fingerprint && read.cert === current.cert && read.key === current.key ? current : read
  }

  async #renewedDev(current: CertificateMaterial): Promise<CertificateMaterial> {
    const { spec, devFolder, clock, log } = this.#options
    this.#devCheckedAt = clock.now()
    try {
      const dev = await ensureDevCertificate(devFolder, spec.devNames, clock)
      return dev.cert === current.cert ? current : parseCertificate(dev.cert, dev.key, [], current.source)
    } catch (thrown) {
      log.warn('the development certificate could not be renewed', { reason: String(thrown) })
      return current
    }
  }

  #warnOfOldLists(): void {
    const { clock, log } = this.#options
    const endsAt = this.#clients?.listsEndAt ?? Infinity
    if (endsAt <= clock.now())
      log.warn('a revocation list is past its next update: clients of its authority are refused', {
        lists: this.#options.spec.clientCertificates?.crl,
        nextUpdate: new Date(endsAt).toISOString(),
      })
  }

  /** When certificates change, and every day. */
  #warnOfEnds(): void {
    this.#warnedAt = this.#options.clock.now()
    for (const certificate of this.#certificates) this.#warnOfExpiry(certificate)
  }

  #warnOfExpiry(certificate: CertificateMaterial): void {
    const now = this.#options.clock.now()
    if (certificate.expiresAt <= now) this.#options.log.warn('a certificate has expired', { source: certificate.source })
    else if (certificate.validFrom > now) this.#options.log.warn('a certificate is not valid yet', { source: certificate.source })
    else if (isEndNear(certificate, now)) {
      const { source, expiresAt } = certificate
      this.#options.log.warn('a certificate expires soon', { source, expires: new Date(expiresAt).toISOString() })
    }
  }
}

async function readCertificate(spec: TlsSpec, index: number): Promise<CertificateMaterial | CertificateProblem> {
  const { cert, key, names } = spec.certificates[index]
  let file = cert
  try {
    const certText = await readFile(cert, 'utf8')
    file = key
    const keyText = await readFile(key, 'utf8')
    file = cert
    return parseCertificate(certText, keyText, names, cert)
  } catch (thrown) {
    return { index, file, message: messageOf(thrown) }
  }
}

interface ReadClients {
  readonly material: ClientsMaterial
  readonly listsEndAt: number
}

/** What certificates of clients are checked against, where the listener asks for such. */
async function readClients({ clientCertificates }: TlsSpec): Promise<ReadClients | undefined> {
  if (clientCertificates === undefined) return undefined
  const { mode, ca: caPath, crl: paths = [] } = clientCertificates
  const ca = await readFile(caPath, 'utf8')
  parseAuthorities(ca)
  if (paths.length === 0) return { material: { mode, ca }, listsEndAt: Infinity }
  const files = await Promise.all(paths.map((path) => readFile(path)))
  const crl = files.flatMap((bytes) => parseRevocationLists(bytes))
  const { revoked, endsAt } = await readRevocationLists(crl, ca)
  return { material: { mode, ca, crl, revoked }, listsEndAt: endsAt }
}

function pathsOf({ certificates, clientCertificates }: TlsSpec): string[] {
  const paths = certificates.flatMap(({ cert, key }) => [cert, key])
  return clientCertificates === undefined ? paths : [...paths, clientCertificates.ca, ...(clientCertificates.crl ?? [])]
}

function messageOf(thrown: unknown): string {
  const code = (thrown as NodeJS.ErrnoException).code
  if (code === 'ENOENT') return 'the file does not exist'
  if (code === 'EACCES') return 'the file may not be read by this user'
  if (code === 'EISDIR') return 'this is a folder, not a file'
  return thrown instanceof Error ? thrown.message : String(thrown)
}
