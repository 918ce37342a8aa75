import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import { get } from 'node:http'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { startVelum, workFolder } from '../support/velum-process.ts'

const checkout = fileURLToPath(new URL('../../', import.meta.url))
// Any free ports: the usual ones may be in use by somebody who is looking at the demo.
const env = { DEMO_HTTP_PORT: '0', DEMO_HTTPS_PORT: '0', DEMO_ADMIN_PORT: '0' }

function hasCurl(): boolean {
  try {
    execFileSync('curl', ['--version'])
    return true
  } catch {
    return false
  }
}

function shell(command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile('sh', ['-c', command], { cwd: checkout }, (error, out) => (error === null ? resolve(out) : reject(error)))
  })
}

test(
  'the lines that the demo prints do what it says',
  { skip: hasCurl() ? false : 'there is no curl on this machine' },
  async (t) => {
    const demo = startVelum(t, ['demo'], { folder: checkout, env: { ...env, DEMO_STORE: workFolder(t).path } })
    await demo.printed(/Ctrl-C stops all of it/)
    const lines = [...demo.out.matchAll(/^ {2}((?:curl|for) .*)$/gm)].map(([, line]) => line)
    assert.equal(lines.length, 5)
    const [catalog, refused, orders, invoice, flood] = lines
    assert.match(await shell(catalog), /^\{"products":\[\{"sku":/)
    const refusal = await shell(refused)
    assert.match(refusal, /^HTTP\/(?:2 401 |1\.1 401 Unauthorized)\r\n/)
    assert.match(refusal, /\r\nwww-authenticate: Bearer realm="api"\r\n/i)
    assert.match(refusal, /"type":"urn:velum:problem:unauthenticated"/)
    const seen = JSON.parse(await shell(orders)) as { orders: { tenant: string }[] }
    assert.ok(seen.orders.length > 0 && seen.orders.every(({ tenant }) => tenant === 'acme'))
    assert.match(await shell(invoice), /^\{"invoiceId":"inv-2001",/)
    // All at once, so that a slow machine cannot refill the bucket in between.
    const once = /curl .*\/orders/.exec(flood)![0]
    const answers = await Promise.all(Array.from({ length: 40 }, () => shell(once)))
    const codes = answers.map((answer) => answer.trim().split(' '))
    assert.ok(codes.some(([code]) => code === '429'))
    for (const [code, retryAfter] of codes)
      assert.ok(code === '200' || (code === '429' && Number(retryAfter) >= 1), `${code} ${retryAfter}`)
    assert.match(await shell(flood.replace('seq 15', 'seq 2')), /^(?:(?:200|429) \d*\n){2}$/)

    const password = /her password until the next start:\n\n {2}(\S+)\n/.exec(demo.out)![1]
    const at = /https:\/\/localhost:\d+/.exec(demo.out)![0]
    const [front] = catalog.split(' https://')
    const loggedIn = await shell(
      `${front} -s -D - -o /dev/null ${at}/auth/login -d username=ada -d password=${password} -d return_to=/users/me`,
    )
    assert.match(loggedIn, /^HTTP\/\S+ 303/)
    assert.match(loggedIn, /\r\nlocation: \/users\/me\r\n/i)
    const cookie = /set-cookie: (__Host-Http-velum=[^;]+)/i.exec(loggedIn)![1]
    assert.match(await shell(`${front} -s -b '${cookie}' ${at}/users/me`), /"id":"ada"/)

    const redirect = /http:\/\/localhost:(\d+) leads there/.exec(demo.out)!
    const location = await new Promise((resolve, reject) => {
      get({ host: '127.0.0.1', port: redirect[1], path: '/catalog?x=1' }, (response) => {
        response.resume()
        resolve([response.statusCode, response.headers.location])
      }).on('error', reject)
    })
    const secure = /https:\/\/localhost:\d+/.exec(demo.out)![0]
    assert.deepEqual(location, [308, `${secure.replace('localhost', '127.0.0.1')}/catalog?x=1`])

    demo.kill('SIGINT')
    const { code, err } = await demo.ended
    assert.deepEqual([code, err], [0, ''])
  },
)
