import { X509Certificate, createPrivateKey, randomBytes, webcrypto } from 'node:crypto'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { hostname } from 'node:os'
import { join } from 'node:path'
import type * as X509 from '@peculiar/x509'
import type { Clock } from '../../core/clock.ts'
import { namesOf } from './certificate.ts'

const dayMs = 86_400_000
const authorityDays = 3650
const leafDays = 90
const renewDays = 30
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const alwaysNames = ['localhost', '127.0.0.1', '::1']

/** A certificate of the development authority, for people who start Velum on their own machine. */
export interface DevCertificate {
  /** PEM of the server's certificate and of its key. */
  readonly cert: string
  readonly key: string
  /** Where the authority's certificate lies, for `curl --cacert` and for a browser's trust store. */
  readonly authorityPath: string
}

interface Pair {
  readonly certificate: X509Certificate
  readonly cert: string
  readonly key: string
}

/**
 * The development certificate for localhost, the loopback addresses and `names`, made when there is none in `folder`,
 * when the names changed or when its end is near. The authority behind it is made once and kept: `dev-ca.pem` for
 * those who shall trust it, `dev-ca-key.pem` (mode 0600) for us. One process at a time per folder.
 */
export async function ensureDevCertificate(folder: string, names: readonly string[], clock: Clock): Promise<DevCertificate> {
  const wanted = [...new Set([...alwaysNames, ...names.map((name) => name.toLowerCase())])].sort()
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const authorityPath = join(folder, 'dev-ca.pem')
  const authority = await ensureAuthority(folder, clock)
  // Key and certificate share one file, so that no crash can part them; the public copy follows it.
  if ((await readText(authorityPath)) !== authority.cert) await replaceFile(authorityPath, authority.cert, 0o644)
  const leafPath = join(folder, 'dev-leaf.pem')
  const kept = await readPair(leafPath)
  if (kept !== undefined && isGoodLeaf(kept, authority, wanted, clock.now())) {
    return { cert: kept.cert, key: kept.key, authorityPath }
  }
  const leaf = await makeLeaf(authority, wanted, clock.now())
  await replaceFile(leafPath, leaf.key + leaf.cert, 0o600)
  return { cert: leaf.cert, key: leaf.key, authorityPath }
}

async function ensureAuthority(folder: string, clock: Clock): Promise<Pair> {
  const path = join(folder, 'dev-ca-key.pem')
  const kept = await readPair(path)
  const now = clock.now()
  if (kept?.certificate.ca === true && lasts(kept.certificate, now, leafDays)) return kept
  const made = await makeAuthority(now)
  await replaceFile(path, made.key + made.cert, 0o600)
  return made
}

function isGoodLeaf(leaf: Pair, authority: Pair, wanted: readonly string[], now: number): boolean {
  const { certificate } = leaf
  return (
    lasts(certificate, now, renewDays) &&
    certificate.checkIssued(authority.certificate) &&
    certificate.verify(authority.certificate.publicKey) &&
    namesOf(certificate).sort().join() === wanted.join()
  )
}

function lasts(certificate: X509Certificate, now: number, days: number): boolean {
  return certificate.validFromDate.getTime() <= now && certificate.validToDate.getTime() > now + days * dayMs
}

async function makeAuthority(now: number): Promise<Pair> {
  const x509 = await loadX509()
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const serialNumber = newSerial()
  // Two authorities of one machine must differ in name, or a trust store that holds both mixes them up.
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber,
    name: [{ CN: [`Velum development CA ${hostname()} ${serialNumber.slice(0, 8)}`] }],
    notBefore: new Date(now - dayMs),
    notAfter: new Date(now + authorityDays * dayMs),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return pairOf(certificate.toString('pem'), await exportKey(keys.privateKey))
}

async function makeLeaf(authority: Pair, names: readonly string[], now: number): Promise<Pair> {
  const x509 = await loadX509()
  const issuer = new x509.X509Certificate(authority.cert)
  const signingKey = await webcrypto.subtle.importKey(
    'pkcs8',
    createPrivateKey(authority.key).export({ type: 'pkcs8', format: 'der' }),
    algorithm,
    false,
    ['sign'],
  )
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: newSerial(),
    subject: [{ CN: ['Velum development'] }],
    issuer: issuer.subject,
    notBefore: new Date(now - dayMs),
    notAfter: new Date(now + leafDays * dayMs),
    signingAlgorithm: algorithm,
    publicKey: keys.publicKey,
    signingKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(names.map((name) => ({ type: isIP(name) === 0 ? 'dns' : 'ip', value: name }))),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  })
  return pairOf(certificate.toString('pem'), await exportKey(keys.privateKey))
}

/** Loaded only where a certificate must be made: it costs 100 ms and a global polyfill. */
async function loadX509(): Promise<typeof X509> {
  await import('reflect-metadata')
  return import('@peculiar/x509')
}

/** 16 bytes, positive, so that DER adds no byte of its own (RFC 5280 §4.1.2.2). */
function newSerial(): string {
  const bytes = randomBytes(16)
  bytes[0] = (bytes[0] & 0x7f) | 0x40
  return bytes.toString('hex')
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  const der = await webcrypto.subtle.exportKey('pkcs8', key)
  const exported = createPrivateKey({ key: Buffer.from(der), type: 'pkcs8', format: 'der' })
  return exported.export({ type: 'pkcs8', format: 'pem' })
}

function pairOf(cert: string, key: string): Pair {
  const text = cert.endsWith('\n') ? cert : `${cert}\n`
  return { certificate: new X509Certificate(text), cert: text, key }
}

/** The pair in a file; undefined when there is none or it cannot be used: then a new one is made. */
async function readPair(path: string): Promise<Pair | undefined> {
  const text = await readText(path)
  const at = text?.indexOf('-----BEGIN CERTIFICATE-----') ?? -1
  if (text === undefined || at === -1) return undefined
  try {
    const pair = pairOf(text.slice(at), text.slice(0, at))
    return pair.certificate.checkPrivateKey(createPrivateKey(pair.key)) ? pair : undefined
  } catch {
    return undefined
  }
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw thrown
  }
}

async function replaceFile(path: string, text: string, mode: number): Promise<void> {
  const beside = `${path}.${randomBytes(6).toString('hex')}.tmp`
  try {
    await writeFile(beside, text, { mode, flag: 'wx', flush: true })
    await rename(beside, path)
  } catch (thrown) {
    await rm(beside, { force: true })
    throw thrown
  }
}
