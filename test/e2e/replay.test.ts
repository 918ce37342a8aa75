import assert from 'node:assert/strict'
import { appendFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ReplayReport } from '../../src/gateway/replay.ts'
import { readyListeners, runCommand, runVelum, startVelum, workFolder } from '../support/velum-process.ts'

const configuration = (limit: number): string => `
listeners: { web: { port: 0 } }
log: { file: access.log }
limits: { few: { algorithm: fixed-window, limit: ${limit}, window: 1h, per: ['header:x-app'] } }
routes:
  - { name: hello, match: { path: '/hello/**' }, auth: public, limits: [few], respond: { status: 200, body: hi } }
`

test('velum replay reads what a gateway wrote, and names who would be treated differently', async (t) => {
  const folder = workFolder(t)
  folder.write('velum.config.yaml', configuration(1000))
  folder.write('stricter.yaml', configuration(3))
  const velum = startVelum(t, ['run', '--workers', '1'], { folder: folder.path })
  const { web } = await readyListeners(velum)
  for (let i = 0; i < 5; i++)
    assert.equal((await fetch(new URL('/hello/a?token=geheim', web), { headers: { 'x-app': 'one' } })).status, 200)
  for (let i = 0; i < 2; i++) assert.equal((await fetch(new URL('/hello/b', web), { headers: { 'x-app': 'two' } })).status, 200)
  const log = join(folder.path, 'access.log')
  for (let tries = 0; tries < 200 && readFileSync(log, 'utf8').split('\n').length < 8; tries++) await sleep(20)
  assert.ok(!readFileSync(log, 'utf8').includes('geheim'))
  appendFileSync(log, '{"level":30,"time":17\nnonsense\n')
  const replay = (...args: string[]): ReturnType<typeof runCommand> =>
    runCommand(['replay', '--log', 'access.log', ...args], { folder: folder.path })

  const same = await runVelum(t, ['replay', '--log', 'access.log', '--json'], { folder: folder.path })
  assert.equal(same.code, 0, same.err)
  const { requests, changed, broken } = JSON.parse(same.out) as ReplayReport
  assert.deepEqual([requests, changed, broken], [7, 0, 2])

  const stricter = await replay('--config', 'stricter.yaml', '--json')
  const report = JSON.parse(stricter.out) as ReplayReport
  assert.equal(report.changed, 2)
  assert.equal(report.clients[0].changes[0].source, 'routes[0].limits[0]')
  const text = await replay('--config', 'stricter.yaml', '--old', 'velum.config.yaml', '--exit-code')
  assert.equal(text.code, 1)
  assert.match(text.out, /7 requests .*; 2 come out differently\./)
  assert.match(text.out, /2 × passes on hello → refused by limits \(over-limit, limited:few\)/)
  assert.match(text.out, /2 lines are no lines of an access log/)

  assert.equal((await replay('--config', 'missing.yaml')).code, 1)
  assert.equal((await runCommand(['replay'], { folder: folder.path })).code, 2)
  assert.equal((await runCommand(['replay', '--log', 'none'], { folder: folder.path })).code, 1)
})
