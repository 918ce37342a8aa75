import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { readyListeners, startVelum, workFolder } from '../support/velum-process.ts'

const config = `
name: tools
listeners:
  plain: { host: 127.0.0.1, port: 0 }
  tls: { host: 127.0.0.1, port: 0, tls: { dev: true } }
store: { kind: embedded, path: store }
log: { format: none }
routes:
  - { name: here, match: { path: /here }, auth: public, respond: { status: 200, body: here } }
`

function has(tool: string, version: RegExp): boolean {
  try {
    return version.test(execFileSync(tool, ['--version'], { encoding: 'utf8' }))
  } catch {
    return false
  }
}

const run = (tool: string, args: readonly string[]): Promise<string> =>
  new Promise((resolve, reject) => {
    execFile(tool, args, (error, out) => (error === null ? resolve(out) : reject(error)))
  })

const asked = (...args: string[]): Promise<string> => run('curl', ['-sk', '-w', ' %{http_version} %{http_code}', ...args])

async function listenersOf(t: TestContext): Promise<Record<string, string>> {
  const folder = workFolder(t)
  const velum = startVelum(t, ['run', '--config', folder.write('velum.yaml', config), '--workers', '2'], { folder: folder.path })
  return readyListeners(velum)
}

const noCurl = has('curl', /HTTP2/) ? false : 'there is no curl with HTTP/2 on this machine'

test('curl speaks both versions to both kinds of listeners', { skip: noCurl, timeout: 60_000 }, async (t) => {
  const { plain, tls } = await listenersOf(t)
  assert.equal(await asked('--http2', `${tls}/here`), 'here 2 200')
  assert.equal(await asked('--http1.1', `${tls}/here`), 'here 1.1 200')
  assert.equal(await asked('--http2-prior-knowledge', `${plain}/here`), 'here 2 200')
  assert.equal(await asked('--http1.1', `${plain}/here`), 'here 1.1 200')
  // An offer to change over is not taken up: it would slip past what was decided for the connection.
  assert.equal(await asked('--http2', `${plain}/here`), 'here 1.1 200')
})

const noH2load = has('h2load', /nghttp2/) ? false : 'there is no h2load on this machine'

test('h2load loses nothing', { skip: noH2load, timeout: 120_000 }, async (t) => {
  const { plain, tls } = await listenersOf(t)
  for (const url of [plain, tls]) {
    const printed = await run('h2load', ['-n', '3000', '-c', '4', '-m', '20', `${url}/here`])
    assert.match(printed, /3000 total, 3000 started, 3000 done, 3000 succeeded, 0 failed, 0 errored, 0 timeout/)
    assert.match(printed, /status codes: 3000 2xx/)
  }
})
