import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { startVelum, workFolder } from '../support/velum-process.ts'

const checkout = fileURLToPath(new URL('../../', import.meta.url))
const env = { DEMO_HTTP_PORT: '0', DEMO_HTTPS_PORT: '0', DEMO_ADMIN_PORT: '0' }

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

const lacking = [has('curl', /HTTP2/) ? '' : 'curl with HTTP/2', has('h2load', /nghttp2/) ? '' : 'h2load'].filter(
  (tool) => tool !== '',
)

test(
  'curl and h2load speak HTTP/2 to the demo',
  { skip: lacking.length === 0 ? false : `there is no ${lacking.join(' and no ')} on this machine`, timeout: 120_000 },
  async (t) => {
    const demo = startVelum(t, ['demo'], { folder: checkout, env: { ...env, DEMO_STORE: workFolder(t).path } })
    await demo.printed(/Ctrl-C stops all of it/)
    const base = /https:\/\/localhost:\d+/.exec(demo.out)![0]
    const asked = await run('curl', ['-sk', '--http2', '-w', ' %{http_version} %{http_code}', `${base}/catalog`])
    assert.match(asked, / 2 200$/)
    const printed = await run('h2load', ['-n', '2000', '-c', '4', '-m', '20', `${base}/catalog`])
    assert.match(printed, /2000 total, 2000 started, 2000 done, 2000 succeeded, 0 failed, 0 errored, 0 timeout/)
    assert.match(printed, /status codes: 2000 2xx/)
    demo.kill('SIGINT')
    assert.equal((await demo.ended).code, 0)
  },
)
