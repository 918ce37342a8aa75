import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { readyListeners, startVelum, workFolder } from '../support/velum-process.ts'

const configuration = (body: string, more = ''): string => `
import { words } from './words.ts'
export default {
  listeners: { web: { port: 0 } },
  admin: { port: 0 },
  store: { kind: 'embedded', path: 'store' },
  log: { format: 'none' },
  routes: [{ name: 'hello', match: { path: '/' }, auth: 'public', respond: { status: 200, body: ${body} } }],
  ${more}
}
`

test('velum run --watch follows its configuration and what that imports; a failing one changes nothing', async (t) => {
  const folder = workFolder(t)
  folder.write('words.ts', `export const words = 'one'\n`)
  folder.write('velum.config.ts', configuration('words'))
  const velum = startVelum(t, ['run', '--workers', '1', '--watch'], { folder: folder.path })
  const { web } = await readyListeners(velum)
  const [line] = await velum.printed(/^\{.*"msg":"the gateway is ready".*\}$/m)
  const { admin } = JSON.parse(line) as { admin: string }
  const token = readFileSync(join(folder.path, 'store', 'admin.token'), 'utf8').trim()
  const says = async (): Promise<string> => (await fetch(web)).text()
  const until = async (wanted: string): Promise<void> => {
    for (let tries = 0; tries < 400; tries++) {
      if ((await says()) === wanted) return
      await sleep(25)
    }
    assert.equal(await says(), wanted)
  }
  assert.equal(await says(), 'one')
  const authorization = `Bearer ${token}`
  assert.equal((await fetch(new URL('/api/config/diff', admin), { headers: { authorization } })).status, 404)

  folder.write('words.ts', `export const words = 'two'\n`)
  await until('two')
  folder.write('velum.config.ts', configuration('`${words} and a half`'))
  await until('two and a half')

  const ask = (path: string): Promise<Response> => fetch(new URL(path, admin), { headers: { authorization } })
  const diff = (await (await ask('/api/config/diff')).json()) as { routes: { altered: { changes: { path: string }[] }[] } }
  assert.deepEqual(
    diff.routes.altered[0].changes.map(({ path }) => path),
    ['action.body'],
  )

  folder.write('velum.config.ts', configuration('words', 'colour: 1, limits: { few: { algorithm: "none" } },'))
  await velum.printed(/"colour" is not known here[^]*the configuration of before goes on/)
  assert.equal(await says(), 'two and a half')
  const response = await ask('/api/config')
  const { load } = (await response.json()) as { load: { committed: boolean; findings: { path: string }[] } }
  assert.equal(load.committed, false)
  assert.deepEqual(
    load.findings.map(({ path }) => path).filter((path) => path === 'colour'),
    ['colour'],
  )
  assert.ok(load.findings.length > 1, 'all that is wrong is shown')

  folder.write('velum.config.ts', configuration('words'))
  await until('two')
})
