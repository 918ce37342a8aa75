import assert from 'node:assert/strict'
import { X509Certificate, createPrivateKey } from 'node:crypto'
import { mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { ManualClock } from '../../core/manual-clock.ts'
import { ensureDevCertificate } from './dev-certificate.ts'

const dayMs = 86_400_000

describe('the development certificate', () => {
  let folder: string
  let clock: ManualClock

  beforeEach(async () => {
    folder = join(await mkdtemp(join(tmpdir(), 'velum-dev-')), 'store')
    clock = new ManualClock()
  })
  afterEach(() => rm(join(folder, '..'), { recursive: true }))

  it('is signed by an authority whose key only we can read', async () => {
    const { cert, key, authorityPath } = await ensureDevCertificate(folder, [], clock)
    const authority = new X509Certificate(await readFile(authorityPath))
    const leaf = new X509Certificate(cert)
    assert.equal(authority.ca, true)
    assert.equal(leaf.ca, false)
    assert.ok(leaf.checkIssued(authority) && leaf.verify(authority.publicKey))
    assert.ok(leaf.checkPrivateKey(createPrivateKey(key)))
    assert.equal(createPrivateKey(key).asymmetricKeyDetails?.namedCurve, 'prime256v1')
    assert.deepEqual((await readdir(folder)).sort(), ['dev-ca-key.pem', 'dev-ca.pem', 'dev-leaf.pem'])
    assert.doesNotMatch(await readFile(authorityPath, 'utf8'), /PRIVATE/)
    for (const name of ['dev-ca-key.pem', 'dev-leaf.pem']) assert.equal((await stat(join(folder, name))).mode & 0o777, 0o600)
    assert.equal((await stat(folder)).mode & 0o777, 0o700)
  })

  it('is for localhost, the loopback addresses and the names asked for', async () => {
    const { cert } = await ensureDevCertificate(folder, ['API.dev.test', '*.apps.test', '10.1.2.3'], clock)
    const leaf = new X509Certificate(cert)
    for (const host of ['localhost', 'api.dev.test', 'x.apps.test']) assert.ok(leaf.checkHost(host), host)
    for (const address of ['127.0.0.1', '::1', '10.1.2.3']) assert.ok(leaf.checkIP(address), address)
    assert.equal(leaf.checkHost('example.com'), undefined)
  })

  it('is kept from one start to the next', async () => {
    const first = await ensureDevCertificate(folder, ['a.test'], clock)
    clock.advance(30 * dayMs)
    assert.deepEqual(await ensureDevCertificate(folder, ['A.test'], clock), first)
  })

  it('is renewed near its end, under the same authority', async () => {
    const first = await ensureDevCertificate(folder, [], clock)
    const authority = await readFile(first.authorityPath, 'utf8')
    clock.advance(61 * dayMs)
    const second = await ensureDevCertificate(folder, [], clock)
    assert.notEqual(second.cert, first.cert)
    assert.ok(new X509Certificate(second.cert).validToDate.getTime() > clock.now() + 80 * dayMs)
    assert.equal(await readFile(second.authorityPath, 'utf8'), authority)
  })

  it('is renewed when its names change', async () => {
    const first = await ensureDevCertificate(folder, ['a.test'], clock)
    const second = await ensureDevCertificate(folder, ['b.test'], clock)
    assert.notEqual(second.cert, first.cert)
    assert.equal(new X509Certificate(second.cert).checkHost('a.test'), undefined)
    assert.ok(new X509Certificate(second.cert).checkHost('b.test'))
  })

  it('heals what a crash or a careless hand left behind', async () => {
    const first = await ensureDevCertificate(folder, [], clock)
    await rm(first.authorityPath)
    await writeFile(join(folder, 'dev-leaf.pem'), 'half a file')
    const second = await ensureDevCertificate(folder, [], clock)
    const authority = new X509Certificate(await readFile(second.authorityPath))
    assert.ok(new X509Certificate(first.cert).checkIssued(authority))
    assert.ok(new X509Certificate(second.cert).verify(authority.publicKey))
  })

  it('is made anew under a new authority when the old one is unreadable', async () => {
    const first = await ensureDevCertificate(folder, [], clock)
    await writeFile(join(folder, 'dev-ca-key.pem'), 'nothing')
    const second = await ensureDevCertificate(folder, [], clock)
    const authority = new X509Certificate(await readFile(second.authorityPath))
    assert.ok(!new X509Certificate(first.cert).verify(authority.publicKey))
    assert.ok(new X509Certificate(second.cert).verify(authority.publicKey))
  })
})
