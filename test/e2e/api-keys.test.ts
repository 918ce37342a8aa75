import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { headersServiceOf } from '../support/http-service.ts'
import { RawClient } from '../support/raw-client.ts'
import { readyListeners, runCommand, runVelum, startVelum, workFolder } from '../support/velum-process.ts'
import type { Ended } from '../support/velum-process.ts'

const config = readFileSync(new URL('api-keys.yaml', import.meta.url), 'utf8')

interface MadeKey {
  readonly id: string
  readonly key: string
}

function keyOf({ code, out, err }: Ended): MadeKey {
  assert.equal(code, 0, err)
  return JSON.parse(out) as MadeKey
}

test('API keys, from the shell to the service, on two workers', async (t) => {
  const folder = workFolder(t)
  folder.write('velum.config.yaml', config)
  const env = { UPSTREAM: await headersServiceOf(t), KEY_HASH: createHash('sha256').update('fixed-key').digest('hex') }
  const options = { folder: folder.path, env }
  const velum = (...args: string[]): ReturnType<typeof runCommand> => runCommand(args, options)
  const madeBy = async (...args: string[]): Promise<MadeKey> => keyOf(await velum('key', 'create', ...args, '--json'))

  const making = ['key', 'create', 'early', '--scopes', 'orders:read', '--tenant', 'acme', '--json']
  const early = keyOf(await runVelum(t, making, options))
  assert.match(early.key, /^vlm_[0-9A-Za-z]{16}_[0-9A-Za-z]{49}$/)

  const process = startVelum(t, ['run', '--workers', '2'], options)
  const listeners = await readyListeners(process)
  const { admin } = JSON.parse(readFileSync(join(folder.path, '.velum', 'gateway.lock'), 'utf8')) as { admin: string }
  /** A connection each time, so that both workers are met; the status and what the service saw. */
  const ask = async (path: string, key: string, ...lines: string[]): Promise<{ status: number; content: string }> => {
    const client = await RawClient.to(Number(new URL(listeners.web).port))
    client.send([`GET ${path} HTTP/1.1`, 'Host: api.example.com', `X-Api-Key: ${key}`, ...lines, '', ''].join('\r\n'))
    const answer = await client.answer()
    client.close()
    return answer!
  }
  const statuses = async (key: string): Promise<Set<number>> => {
    const answers = await Promise.all(Array.from({ length: 24 }, () => ask('/orders', key)))
    return new Set(answers.map(({ status }) => status))
  }

  await t.test('a key that was made before the gateway ran is accepted, and the service learns who calls', async () => {
    const answer = await ask('/orders', early.key)
    assert.equal(answer.status, 200, answer.content)
    const seen = JSON.parse(answer.content) as Record<string, string>
    assert.equal(seen['x-auth-subject'], 'early')
    assert.equal(seen['x-auth-client'], 'early')
    assert.equal(seen['x-auth-tenant'], 'acme')
    assert.equal(seen['x-api-key'], undefined)
  })

  await t.test('no service sees a key, also not one that gets the credentials of its callers', async () => {
    const answer = await ask('/passed', early.key)
    assert.equal(answer.status, 200, answer.content)
    assert.equal(answer.content.includes(early.key), false)
  })

  await t.test(
    'a key that is made while the gateway runs counts at once, and is refused everywhere once it is revoked',
    async () => {
      const made = await madeBy('worker', '--scopes', 'orders:read')
      assert.deepEqual(await statuses(made.key), new Set([200]))
      const revoked = await runVelum(t, ['key', 'revoke', made.id], options)
      assert.equal(revoked.code, 0, revoked.err)
      const endedAt = performance.now()
      let seen: Set<number>
      do {
        const askedAt = performance.now()
        seen = await statuses(made.key)
        // The promise is a second.
        assert.ok(!seen.has(200) || askedAt <= endedAt + 1000)
      } while (seen.has(200))
      assert.deepEqual(seen, new Set([401]))
      assert.equal((await velum('key', 'revoke', made.id)).code, 1)
    },
  )

  await t.test('what a key does not grant, and where it may not be used from, is refused', async () => {
    const bare = await madeBy('bare')
    assert.equal((await ask('/orders', bare.key)).status, 403)
    const office = await madeBy('office', '--scopes', 'orders:read', '--addresses', '10.0.0.0/8')
    assert.equal((await ask('/orders', office.key)).status, 401)
    assert.equal((await ask('/orders', office.key, 'X-Forwarded-For: 10.1.2.3')).status, 200)
  })

  await t.test('a client has two keys; a mistyped one is refused', async () => {
    await madeBy('early')
    const third = await velum('key', 'create', 'early')
    assert.equal(third.code, 1)
    assert.match(third.err, /has two keys already/)
    const mistyped = early.key.slice(0, -1) + (early.key.endsWith('a') ? 'b' : 'a')
    assert.equal((await ask('/orders', mistyped)).status, 401)
    assert.equal((await ask('/orders', 'fixed-key')).status, 200)
    assert.equal((await velum('key', 'create', 'fixed')).code, 1, 'a key of the configuration has this name')
    assert.equal((await velum('key', 'create', 'dated', '--expires', '2099-02-30')).code, 2, 'there is no such day')
  })

  await t.test('the list says when a key was used, and no secret', async () => {
    const listed = await velum('key', 'list', '--json')
    const keys = JSON.parse(listed.out) as { id: string; client: string; lastUsed?: string }[]
    assert.ok(keys.find(({ id }) => id === early.id)?.lastUsed !== undefined)
    assert.equal(listed.out.includes(early.key.slice(21)), false)
    assert.match((await velum('key', 'list')).out, /^ID +CLIENT/)
  })

  await t.test('the admin API takes nothing that only the server may say', async () => {
    const token = readFileSync(join(folder.path, '.velum', 'admin.token'), 'utf8').trim()
    const post = async (body: unknown): Promise<Response> => {
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
      return fetch(new URL('/api/keys', admin), { method: 'POST', headers, body: JSON.stringify(body) })
    }
    for (const over of [
      { id: 'x' },
      { mac: 'x' },
      { owner: 'x' },
      { createdAt: 1 },
      { scopes: 'a' },
      { client: 1 },
      { expires: 'soon' },
      { expires: '2099-02-30' },
      { expires: '2099-01-31T12:00:00' },
    ])
      assert.equal((await post({ client: 'api', ...over })).status, 422, JSON.stringify(over))
    assert.equal((await post([])).status, 422)
    const made = await post({ client: 'api', expires: 'never' })
    assert.equal(made.status, 201)
    assert.equal(made.headers.get('cache-control'), 'no-store')
    const { key } = (await made.json()) as MadeKey
    assert.equal((await ask('/passed', key)).status, 200)
  })

  await t.test('making and revoking keys is in the audit log, without the key', async () => {
    const token = readFileSync(join(folder.path, '.velum', 'admin.token'), 'utf8').trim()
    const response = await fetch(new URL('/api/audit', admin), { headers: { authorization: `Bearer ${token}` } })
    const text = await response.text()
    assert.match(text, /"event":"api-key-made"/)
    assert.match(text, /"event":"api-key-revoked"/)
    assert.equal(text.includes(early.key), false)
  })
})
