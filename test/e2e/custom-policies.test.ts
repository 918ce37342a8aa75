import assert from 'node:assert/strict'
import { cpSync, mkdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { test } from 'node:test'
import { readyListeners, runCommand, runVelum, startVelum, workFolder } from '../support/velum-process.ts'

/*
 * Policies of an operator's own in a gateway as it is run: one that works, one that throws, one that never comes back, and
 * one that is edited while the gateway runs.
 */

const example = fileURLToPath(new URL('../../examples/custom-policy', import.meta.url))

const config = `
listeners: { plain: { port: 0, host: 127.0.0.1 } }
log: { format: none }
policies: { greet: ./policies/greet.ts, wild: ./policies/wild.ts }
defaults: { auth: public }
routes:
  - { name: greet, match: { path: /greet }, respond: { status: 200 }, policies: [greet] }
  - { name: wild, match: { path: '/wild/{how}' }, respond: { status: 200 }, policies: [wild] }
  - { name: mild, match: { path: '/mild/{how}' }, respond: { status: 200 }, policies: [{ use: wild, shadow: true }] }
`

const greet = `
import { definePolicy } from 'velum'
import { greeting } from './greeting.ts'
export default definePolicy({
  onHead: (request, answer) => answer.setHeader('x-greeting', greeting + ' ' + request.method),
})
`

const wild = `
import { definePolicy } from 'velum'
export default definePolicy({
  timeoutMs: 50,
  decide(request) {
    switch (request.param('how')) {
      case 'throw': throw new Error('the words of an author')
      case 'late': return new Promise(() => {})
      case 'refuse': return { status: 403, detail: 'Not you.' }
      case 'exit': process.exit(1)
      case 'hang': for (;;) continue
    }
    return 'pass'
  },
})
`

test(
  'custom policies work, fail as they declare, are replaced by edited ones, and are named when they hang',
  { timeout: 120_000 },
  async (t) => {
    const folder = workFolder(t)
    mkdirSync(`${folder.path}/policies`)
    folder.write('velum.config.yaml', config)
    folder.write('policies/greet.ts', greet)
    folder.write('policies/greeting.ts', "export const greeting: string = 'hello'")
    folder.write('policies/wild.ts', wild)
    const velum = startVelum(t, ['run', '--workers', '1'], { folder: folder.path })
    const { plain } = await readyListeners(velum)
    const get = (path: string): Promise<Response> => fetch(new URL(path, plain), { headers: { connection: 'close' } })

    await t.test('one that works', async () => {
      assert.equal((await get('/greet')).headers.get('x-greeting'), 'hello GET')
    })

    await t.test('one that refuses, throws or comes too late gives a problem that names it and nothing else', async () => {
      const refused = await get('/wild/refuse')
      assert.equal(refused.status, 403)
      const problem = (await refused.json()) as Record<string, unknown>
      assert.deepEqual([problem['policy'], problem['detail']], ['wild', 'Not you.'])
      for (const how of ['throw', 'late']) {
        const failed = await get(`/wild/${how}`)
        assert.equal(failed.status, 500, how)
        const text = await failed.text()
        assert.equal((JSON.parse(text) as Record<string, unknown>)['policy'], 'wild')
        assert.doesNotMatch(text, /words of an author/)
      }
      await velum.printed(/"msg":"a custom policy failed"/)
      for (const how of ['refuse', 'throw', 'late']) assert.equal((await get(`/mild/${how}`)).status, 200, 'in shadow')
    })

    await t.test('a reload takes what was edited, also in what a policy imports; a broken one changes nothing', async () => {
      folder.write('policies/greeting.ts', "export const greeting: string = 'welcome'")
      velum.kill('SIGHUP')
      while ((await get('/greet')).headers.get('x-greeting') !== 'welcome GET') await new Promise((next) => setTimeout(next, 20))
      folder.write('policies/greeting.ts', 'export const greeting: string = (')
      velum.kill('SIGHUP')
      await velum.printed(/"msg":"the configuration was not replaced; the one before goes on"/)
      assert.equal((await get('/greet')).headers.get('x-greeting'), 'welcome GET')
      folder.write('policies/greeting.ts', "export const greeting: string = 'welcome'")
    })

    const served = async (): Promise<Response> => {
      for (;;) {
        const answer = await get('/greet').catch(() => undefined)
        if (answer !== undefined) return answer
        await new Promise((next) => setTimeout(next, 50))
      }
    }

    await t.test('one that ends its thread costs its worker, which is replaced, and is named', async () => {
      await assert.rejects(get('/wild/exit'))
      await velum.printed(/"msg":"a worker died"/)
      assert.equal(velum.log().find(({ msg }) => msg === 'a worker died')?.['policy'], 'wild')
      assert.equal((await served()).headers.get('x-greeting'), 'welcome GET')
    })

    await t.test('one that never comes back costs its worker, which is replaced, and is named', async () => {
      await assert.rejects(get('/wild/hang'))
      await velum.printed(/a worker hangs and is replaced/)
      const line = velum.log().find(({ msg }) => msg === 'a worker hangs and is replaced; its connections are lost')
      assert.equal(line?.['policy'], 'wild')
      assert.equal((await served()).headers.get('x-greeting'), 'welcome GET')
    })
  },
)

test('the example passes its check and its tests', async (t) => {
  const folder = workFolder(t).path
  cpSync(example, folder, { recursive: true })
  const checked = await runCommand(['check'], { folder })
  assert.equal(checked.code, 0, checked.out + checked.err)
  const { code, out, err } = await runVelum(t, ['test'], { folder })
  assert.equal(code, 0, out + err)
  assert.match(out, /pass 3\n/)
})
