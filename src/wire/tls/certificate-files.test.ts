import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { systemClock } from '../../core/clock.ts'
import type { Clock } from '../../core/clock.ts'
import type { Log, LogFields } from '../../core/log.ts'
import { silentLog } from '../../core/log.ts'
import { ManualClock } from '../../core/manual-clock.ts'
import { CertificateError, createCertificateFiles } from './certificate-files.ts'
import type { CertificateFiles } from './certificate-files.ts'
import { ensureDevCertificate } from './dev-certificate.ts'
import type { TlsMaterial, TlsSpec } from './tls-spec.ts'

const dayMs = 86_400_000

let folder: string
let certPath: string
let keyPath: string
let warnings: unknown[]
let log: Log
let opened: CertificateFiles[]
let told: TlsMaterial[]
let whenTold: (() => void) | undefined

const spec = (): TlsSpec => ({
  dev: false,
  devNames: [],
  minVersion: 'TLSv1.2',
  certificates: [{ cert: certPath, key: keyPath, names: ['a.test'] }],
})

async function mint(clock: Clock = systemClock): Promise<{ cert: string; key: string }> {
  const from = await mkdtemp(join(folder, 'mint-'))
  return ensureDevCertificate(from, ['a.test'], clock)
}

async function open(clock: Clock, more: Partial<TlsSpec> = {}): Promise<CertificateFiles> {
  const files = await createCertificateFiles({
    spec: { ...spec(), ...more },
    devFolder: join(folder, 'store'),
    clock,
    log,
    settleMs: 5,
    changed: (material) => {
      told.push(material)
      whenTold?.()
    },
  })
  opened.push(files)
  return files
}

async function put(pair: { cert?: string; key?: string }): Promise<void> {
  if (pair.cert !== undefined) await writeFile(certPath, pair.cert)
  if (pair.key !== undefined) await writeFile(keyPath, pair.key)
}

const untilTold = (): Promise<void> => new Promise((resolve) => (whenTold = resolve))

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'velum-files-'))
  certPath = join(folder, 'api.pem')
  keyPath = join(folder, 'api.key')
  warnings = []
  log = {
    ...silentLog,
    warn: (message: string, fields?: LogFields) => void warnings.push(`${message}: ${JSON.stringify(fields)}`),
  }
  opened = []
  told = []
  whenTold = undefined
})
afterEach(async () => {
  for (const files of opened) files.close()
  await rm(folder, { recursive: true })
})

describe('certificate files', () => {
  it('are read once and taken as the material', async () => {
    const pair = await mint()
    await put(pair)
    const { material } = await open(new ManualClock(Date.now()))
    assert.equal(material.certificates[0].cert, pair.cert)
    assert.deepEqual(material.certificates[0].names, ['a.test'])
    assert.deepEqual(structuredClone(material), material)
    assert.deepEqual(warnings, [])
  })

  it('are refused at the start with every problem at once', async () => {
    const pair = await mint()
    await put({ cert: pair.cert, key: (await mint()).key })
    const certificates = [
      ...spec().certificates,
      { cert: join(folder, 'no.pem'), key: keyPath, names: [] },
      { cert: certPath, key: folder, names: [] },
    ]
    await assert.rejects(open(new ManualClock(), { certificates }), (error) => {
      assert.ok(error instanceof CertificateError)
      assert.deepEqual(
        error.problems.map(({ index, message }) => [index, message]),
        [
          [0, 'the key does not belong to the certificate'],
          [1, 'the file does not exist'],
          [2, 'this is a folder, not a file'],
        ],
      )
      return true
    })
  })

  it('are swapped when the system tells of a change, and not before both match', async () => {
    await put(await mint())
    const files = await open(systemClock)
    const next = await mint()
    await put({ cert: next.cert })
    await files.refresh()
    assert.equal(told.length, 0)
    assert.match(String(warnings[0]), /not usable.*does not belong/)
    const seen = untilTold()
    await put({ key: next.key })
    await seen
    assert.equal(told[0].certificates[0].cert, next.cert)
    assert.equal(files.material.certificates[0].key, next.key)
  })

  it('are swapped by the regular look where nothing tells of a change', async () => {
    const clock = new ManualClock(Date.now())
    await put(await mint())
    await open(clock)
    const next = await mint()
    const seen = untilTold()
    await put(next)
    // The look reads the file system between two waits; move on until it has been heard.
    const pump = setInterval(() => clock.advance(10_000), 1)
    await seen
    clearInterval(pump)
    assert.equal(told.at(-1)?.certificates[0].cert, next.cert)
  })

  it('are swapped when a symbolic link is turned to another folder, as orchestrators do', async () => {
    const [one, two] = [await mint(), await mint()]
    for (const [name, pair] of [
      ['one', one],
      ['two', two],
    ] as const) {
      await mkdir(join(folder, name))
      await writeFile(join(folder, name, 'tls.crt'), pair.cert)
      await writeFile(join(folder, name, 'tls.key'), pair.key)
    }
    await symlink('one', join(folder, 'current'))
    const certificates = [{ cert: join(folder, 'current/tls.crt'), key: join(folder, 'current/tls.key'), names: [] }]
    const files = await open(new ManualClock(Date.now()), { certificates })
    await symlink('two', join(folder, 'next'))
    await rename(join(folder, 'next'), join(folder, 'current'))
    await files.refresh()
    assert.equal(told[0].certificates[0].cert, two.cert)
  })

  it('stay with the last good pair through every kind of rubbish, and warn once of each', async () => {
    const pair = await mint()
    await put(pair)
    const files = await open(new ManualClock(Date.now()))
    for (const rubbish of [
      { cert: '' },
      { cert: pair.cert.slice(0, 200) },
      { cert: pair.cert, key: '' },
      { key: (await mint()).key },
    ]) {
      await put(rubbish)
      await files.refresh()
      await files.refresh()
      assert.equal(files.material.certificates[0].cert, pair.cert)
      assert.equal(files.material.certificates[0].key, pair.key)
    }
    await rm(certPath)
    await files.refresh()
    assert.equal(told.length, 0)
    assert.equal(warnings.length, new Set(warnings).size)
    assert.match(String(warnings.at(-1)), /does not exist/)
  })

  it('do not fall for an expired pair while a valid one is there', async () => {
    const pair = await mint()
    await put(pair)
    const files = await open(new ManualClock(Date.now()))
    await put(await mint(new ManualClock(Date.now() - 120 * dayMs)))
    await files.refresh()
    assert.equal(files.material.certificates[0].cert, pair.cert)
    assert.match(String(warnings[0]), /has expired/)
  })

  it('may be expired at the start, with a warning: better than no service at all', async () => {
    await put(await mint(new ManualClock(Date.now() - 120 * dayMs)))
    await open(new ManualClock(Date.now()))
    assert.match(String(warnings[0]), /has expired/)
  })

  it('that cannot be read for now are no reason to lose what is there', async () => {
    const pair = await mint()
    await put(pair)
    const files = await open(new ManualClock(Date.now()))
    await rm(keyPath)
    await mkdir(keyPath)
    await files.refresh()
    assert.equal(files.material.certificates[0].cert, pair.cert)
    assert.match(String(warnings[0]), /folder/)
  })

  it('include the development certificate, which is renewed while the gateway runs', async () => {
    const clock = new ManualClock(Date.now())
    const files = await open(clock, { dev: true, certificates: [] })
    assert.equal(files.devAuthorityPath, join(folder, 'store', 'dev-ca.pem'))
    const first = files.material.certificates[0]
    assert.ok(first.names.includes('localhost'))
    await files.refresh()
    assert.equal(told.length, 0)
    clock.setNow(Date.now() + 70 * dayMs)
    await files.refresh()
    assert.equal(told.length, 1)
    assert.notEqual(files.material.certificates[0].fingerprint, first.fingerprint)
  })

  it('tell nothing more once closed', async () => {
    await put(await mint())
    const files = await open(new ManualClock(Date.now()))
    files.close()
    await put(await mint())
    await files.refresh()
    assert.equal(told.length, 0)
  })
})
