import assert from 'node:assert/strict'
import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { systemClock } from '../../core/clock.ts'
import { parseCertificate } from './certificate.ts'
import { ensureDevCertificate } from './dev-certificate.ts'
import type { DevCertificate } from './dev-certificate.ts'

function refuse(cert: string, key: string, message: RegExp): void {
  assert.throws(() => parseCertificate(cert, key, [], 'x'), { message })
}

describe('a certificate and its key', () => {
  let folder: string
  let dev: DevCertificate

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'velum-cert-'))
    dev = await ensureDevCertificate(folder, ['a.test', '*.b.test'], systemClock)
  })
  after(() => rm(folder, { recursive: true }))

  it('bring their own names, addresses in their shortest form', () => {
    const { names, expiresAt, validFrom } = parseCertificate(dev.cert, dev.key, [], 'x')
    assert.deepEqual([...names].sort(), ['*.b.test', '127.0.0.1', '::1', 'a.test', 'localhost'])
    assert.ok(validFrom < Date.now() && expiresAt > Date.now())
  })
  it('take the configured names instead, in lower case', () => {
    assert.deepEqual(parseCertificate(dev.cert, dev.key, ['API.Test'], 'x').names, ['api.test'])
  })
  it('keep the intermediate certificates behind the first', async () => {
    const chain = dev.cert + (await readFile(dev.authorityPath, 'utf8'))
    assert.equal(parseCertificate(chain, dev.key, [], 'x').cert, chain)
  })

  it('are refused when they do not belong together', () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    refuse(dev.cert, privateKey.export({ type: 'pkcs8', format: 'pem' }), /does not belong/)
  })
  it('are refused when the key is encrypted', () => {
    const encrypted = createPrivateKey(dev.key).export({ type: 'pkcs8', format: 'pem', cipher: 'aes-128-cbc', passphrase: 'x' })
    refuse(dev.cert, encrypted, /encrypted/)
  })
  it('are refused when a file is empty, cut off or holds something else', () => {
    refuse('', dev.key, /no PEM block/)
    refuse(dev.cert.slice(0, 300), dev.key, /no PEM block/)
    refuse(dev.key, dev.key, /no PEM block/)
    refuse(dev.cert.replace(/^[A-Za-z0-9+/]{16}/m, 'AAAAAAAAAAAAAAAA'), dev.key, /cannot be read/)
    refuse(dev.cert, '', /no private key/)
    refuse(dev.cert, dev.key.slice(0, 90), /no private key/)
  })
  it('are refused when the authority comes first', async () => {
    const authority = await readFile(dev.authorityPath, 'utf8')
    const authorityKey = (await readFile(join(folder, 'dev-ca-key.pem'), 'utf8')).split('-----BEGIN CERTIFICATE')[0]
    refuse(authority + dev.cert, authorityKey, /authority/)
  })
})
