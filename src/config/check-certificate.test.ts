import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { ManualClock } from '../core/manual-clock.ts'
import { ensureDevCertificate } from '../wire/tls/dev-certificate.ts'
import { checkGateway } from './check.ts'

const folder = mkdtempSync(join(tmpdir(), 'velum-certificate-'))
const made = Date.parse('2026-06-01T00:00:00Z')
const dayMs = 86_400_000

before(async () => {
  const one = await ensureDevCertificate(join(folder, 'one'), [], new ManualClock(made))
  const two = await ensureDevCertificate(join(folder, 'two'), [], new ManualClock(made))
  writeFileSync(join(folder, 'one.pem'), one.cert)
  writeFileSync(join(folder, 'one.key'), one.key)
  writeFileSync(join(folder, 'two.key'), two.key)
  writeFileSync(join(folder, 'large.pem'), 'x'.repeat(5 * 1024 * 1024))
})
after(() => rmSync(folder, { recursive: true, force: true }))

function check(cert: string, key: string, now = made + dayMs): { said: string[]; files: readonly string[]; isUsable: boolean } {
  const input = {
    listeners: { api: { port: 8443, tls: { certificates: [{ cert, key }] } } },
    routes: [{ name: 'hello', match: { path: '/hello' }, respond: { status: 200 }, auth: 'public' }],
  }
  const { findings, files, model } = checkGateway(input, { file: join(folder, 'velum.config.ts') }, { now })
  const said = findings.map(
    ({ severity, path, message }) => `${severity} at ${path.replace('listeners.api.tls.certificates[0].', '')}: ${message}`,
  )
  return { said: said.map((text) => text.replaceAll(`${folder}/`, '')), files, isUsable: model !== undefined }
}

test('a pair that belongs together is good, and its files are known', () => {
  assert.deepEqual(check('one.pem', 'one.key'), {
    said: [],
    files: [join(folder, 'one.pem'), join(folder, 'one.key')],
    isUsable: true,
  })
  assert.deepEqual(check(join(folder, 'one.pem'), join(folder, 'one.key')).said, [])
})

test('a key of another certificate is an error', () => {
  assert.deepEqual(check('one.pem', 'two.key').said, ['error at key: the key does not belong to the certificate'])
})

test('files that hold something else are errors', () => {
  assert.deepEqual(check('one.key', 'one.key').said, ['error at cert: the certificate file holds no PEM block "BEGIN CERTIFICATE"'])
  assert.deepEqual(check('one.pem', 'one.pem').said, ['error at key: the key file holds no private key in PEM'])
  assert.deepEqual(check('large.pem', 'one.key').said, ['error at cert: large.pem is larger than 4mb'])
})

test('a certificate out of its time is a warning: a renewal may be on its way', () => {
  const late = check('one.pem', 'one.key', made + 4000 * dayMs)
  assert.match(late.said[0], /^warning at cert: the certificate expired on \d{4}-\d\d-\d\d$/)
  assert.equal(late.isUsable, true)
  assert.match(
    check('one.pem', 'one.key', made - 400 * dayMs).said[0],
    /^warning at cert: the certificate is not valid before \d{4}-\d\d-\d\d$/,
  )
})

test('a file that may not be read is told apart from one that is missing', () => {
  chmodSync(folder, 0o755)
  chmodSync(join(folder, 'two.key'), 0)
  // Root may read everything, so for this one look it becomes nobody.
  const isRoot = process.getuid?.() === 0
  if (isRoot) process.seteuid!(65_534)
  try {
    assert.deepEqual(check('one.pem', 'two.key').said, ['error at key: the file two.key may not be read by this user'])
  } finally {
    if (isRoot) process.seteuid!(0)
  }
})
