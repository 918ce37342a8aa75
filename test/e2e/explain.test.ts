import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Explanation } from '../../src/gateway/explanation.ts'
import { readyListeners, runCommand, runVelum, startVelum, workFolder } from '../support/velum-process.ts'

test('explain, by a running gateway and without one', async (t) => {
  const folder = workFolder(t)
  folder.write('velum.config.yaml', readFileSync(new URL('explain.yaml', import.meta.url), 'utf8'))
  const velum = startVelum(t, ['run', '--workers', '2'], { folder: folder.path })
  const { web } = await readyListeners(velum)
  const [line] = await velum.printed(/^\{.*"msg":"the gateway is ready".*\}$/m)
  const { admin } = JSON.parse(line) as { admin: string }
  const token = readFileSync(join(folder.path, 'store', 'admin.token'), 'utf8').trim()
  const explain = async (...args: string[]): Promise<Explanation> => {
    const { code, out, err } = await runCommand(['explain', ...args, '--json'], { folder: folder.path })
    assert.equal(code, 0, err)
    return JSON.parse(out) as Explanation
  }
  const call = (path: string, init: { readonly method?: string; readonly body?: string } = {}): Promise<Response> =>
    fetch(new URL(path, admin), { ...init, headers: { authorization: `Bearer ${token}` } })

  await t.test('the level of a bucket is the live one, and asking takes nothing of it', async () => {
    assert.equal((await fetch(new URL('/hello', web))).status, 200)
    for (let i = 0; i < 3; i++) {
      const told = await explain('GET', '/hello')
      assert.equal(told.state, 'live')
      assert.match(told.steps.find(({ policy }) => policy === 'limits')!.words, /1 left for address "127\.0\.0\.1"/)
    }
    assert.equal((await fetch(new URL('/hello', web))).status, 200)
    assert.equal((await fetch(new URL('/hello', web))).status, 429)
    const { outcome } = await explain('GET', '/hello')
    assert.equal(outcome?.status, 429)
    assert.equal(outcome?.source, 'routes[0].limits[0]')
    assert.equal((await explain('GET', '/hello', '--from', '192.0.2.7')).outcome?.code, 'responded')
  })

  await t.test('without the gateway the level is the fresh one', async () => {
    const told = await explain('GET', '/hello', '--offline')
    assert.equal(told.state, 'offline')
    assert.match(told.steps.find(({ policy }) => policy === 'limits')!.words, /2 left/)
  })

  await t.test('who is in the penalty box is known at once', async () => {
    const boxed = { penalty: 'banned', who: { address: '192.0.2.9' }, reason: 'scraping' }
    assert.equal((await call('/api/penalties', { method: 'PUT', body: JSON.stringify(boxed) })).status, 200)
    const { outcome } = await explain('GET', '/hello', '--from', '192.0.2.9')
    assert.equal(outcome?.source, 'penalties.banned')
    assert.match(outcome.words, /scraping/)
  })

  await t.test('what cannot be reached is told from how its target stands', async () => {
    for (let i = 0; i < 8; i++) assert.ok((await fetch(new URL('/orders/1', web))).status >= 500)
    const told = await explain('GET', '/orders/1')
    assert.equal(told.outcome?.code, 'no-target')
    assert.equal(told.services[0].targets?.[0].state, 'ejected')
  })

  await t.test('in words, for people', async () => {
    const { out, code } = await runVelum(t, ['explain', 'POST', '/hello'], { folder: folder.path })
    assert.equal(code, 0)
    assert.match(out, /It is refused with 405 by routes \(method-not-allowed\) at routes\[0\]\.match\.methods/)
    assert.match(out, /hello +routes\[0\] +the method is POST, and the route takes GET/)
  })

  await t.test('over the admin API, by GET and POST, with its token only', async () => {
    assert.equal((await fetch(new URL('/api/explain?method=GET&url=/hello', admin))).status, 401)
    const quick = (await (await call('/api/explain?method=GET&url=/none&header=x-a:+1')).json()) as Explanation
    assert.equal(quick.outcome?.code, 'no-route')
    const posted = await call('/api/explain', { method: 'POST', body: JSON.stringify({ method: 'GET', url: '/hello' }) })
    assert.equal(((await posted.json()) as Explanation).route?.name, 'hello')
    for (const body of ['', '[]', '{"method":"GET"}', '{"method":"GET","url":"/","odd":1}', '{"method":"GET","url":"x y"}']) {
      assert.equal((await call('/api/explain', { method: 'POST', body })).status, 422, body)
    }
  })

  await t.test('a command line that asks nothing is a usage error', async () => {
    for (const args of [['GET'], ['GET', '/', '-H', 'novalue'], ['GET', '/', '--tenant', 'a']]) {
      assert.equal((await runCommand(['explain', ...args], { folder: folder.path })).code, 2, args.join(' '))
    }
    assert.equal((await runCommand(['explain', 'GET', 'x y'], { folder: folder.path })).code, 1)
  })
})
