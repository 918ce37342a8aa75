import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { readyListeners, runCommand, startVelum, workFolder } from '../support/velum-process.ts'

const configuration = `
name: edge
listeners: { web: { port: 0 } }
log: { format: combined, file: access.log }
routes: [{ name: hello, match: { path: /hello }, auth: public, respond: { status: 200, body: hello } }]
`

test('an access log in the combined format, which replay says that it cannot read', async (t) => {
  const folder = workFolder(t)
  folder.write('velum.config.yaml', configuration)
  const velum = startVelum(t, ['run', '--workers', '1'], { folder: folder.path })
  const { web } = await readyListeners(velum)
  const headers = { referer: 'https://shop.example/?code=geheim', 'user-agent': 'a "b"', connection: 'close' }
  assert.equal(await (await fetch(new URL('/hello?token=geheim', web), { headers })).text(), 'hello')
  velum.kill('SIGTERM')
  await velum.ended
  assert.match(
    readFileSync(join(folder.path, 'access.log'), 'utf8'),
    /^127\.0\.0\.1 - - \[\d\d\/[A-Z][a-z]{2}\/\d{4}:[\d:]{8} \+0000\] "GET \/hello\?token=\[redacted\] HTTP\/1\.1" 200 5 "https:\/\/shop\.example\/\?code=\[redacted\]" "a \\"b\\""\n$/,
  )
  const replayed = await runCommand(['replay', '--log', 'access.log'], { folder: folder.path })
  assert.notEqual(replayed.code, 0)
  assert.match(replayed.err, /access\.log is written in a format of Apache, .* log\.format: json/)
})
