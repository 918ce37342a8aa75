import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { test } from 'node:test'
import { headersServiceOf } from '../support/http-service.ts'
import { readyListeners, runCommand, startVelum, workFolder } from '../support/velum-process.ts'

const config = readFileSync(new URL('basic.yaml', import.meta.url), 'utf8')

const basic = (name: string, password: string): string => `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`
const password = 'correct horse: battery stäple'

interface Told {
  readonly status: number
  readonly headers: Record<string, string | string[] | undefined>
  readonly content: string
}

test('user names and passwords in every request', async (t) => {
  const folder = workFolder(t)
  folder.write('velum.config.yaml', config)
  const options = { folder: folder.path, env: { UPSTREAM: await headersServiceOf(t) } }
  const velum = (args: string[], input?: string): ReturnType<typeof runCommand> =>
    runCommand(args, input === undefined ? options : { ...options, input })
  for (const [name, roles] of [
    ['alice', 'staff'],
    ['bob', ''],
    ['carol', 'staff'],
  ]) {
    const added = await velum(['user', 'add', name, '--password-stdin', '--tenant', 'acme', '--roles', roles], password)
    assert.equal(added.code, 0, added.err)
  }
  const gateway = startVelum(t, ['run', '--workers', '2'], options)
  const { web } = await readyListeners(gateway)
  const agent = new Agent({ rejectUnauthorized: false })
  t.after(() => agent.destroy())
  const ask = (path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Told> =>
    new Promise((resolve, reject) => {
      const outgoing = request(new URL(path, web), { agent, headers, method }, (response) => {
        let content = ''
        response.setEncoding('utf8').on('data', (chunk: string) => (content += chunk))
        response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, content }))
      })
      outgoing.on('error', reject).end()
    })

  await t.test('the service learns who calls, and not by what', async () => {
    for (let i = 0; i < 4; i++) {
      const { status, content } = await ask('/orders', { authorization: basic('Alice', password) })
      assert.equal(status, 200, content)
      const seen = JSON.parse(content) as Record<string, string>
      assert.equal(seen['x-auth-subject'], 'alice')
      assert.equal(seen['x-auth-tenant'], 'acme')
      assert.equal(seen['x-auth-scopes'], 'orders:read')
      assert.equal(seen['authorization'], undefined)
    }
    assert.equal((await ask('/orders', { authorization: basic('bob', password) })).status, 403)
  })

  await t.test('none is asked for, and what is wrong or malformed is 401', async () => {
    const none = await ask('/orders')
    assert.equal(none.status, 401)
    assert.equal(none.headers['www-authenticate'], 'Basic realm="api", charset="UTF-8"')
    for (const line of [
      basic('alice', 'wrong'),
      basic('nobody', password),
      basic('alice', ''),
      'Basic',
      'Basic ',
      'Basic !!!',
      `Basic ${Buffer.from('no colon').toString('base64')}`,
      `Basic ${Buffer.from('a:b\0').toString('base64')}`,
      `Basic ${Buffer.from([0x61, 0x3a, 0xff]).toString('base64')}`,
      `Basic ${'a'.repeat(2000)}`,
    ])
      assert.equal((await ask('/orders', { authorization: line })).status, 401, line)
    assert.equal((await ask('/both', { authorization: basic('alice', 'wrong'), cookie: '__Host-Http-velum=x' })).status, 401)
  })

  await t.test('a page of another site cannot act by it', async () => {
    const authorization = basic('alice', password)
    assert.equal((await ask('/orders', { authorization, 'sec-fetch-site': 'cross-site' }, 'POST')).status, 403)
    assert.equal((await ask('/orders', { authorization }, 'POST')).status, 200)
  })

  await t.test('a disabled user is out at once, although the password was right a moment ago', async () => {
    assert.equal((await ask('/orders', { authorization: basic('carol', password) })).status, 200)
    assert.equal((await velum(['user', 'disable', 'carol'])).code, 0)
    for (;;) {
      const { status } = await ask('/orders', { authorization: basic('carol', password) })
      if (status === 401) break
      assert.equal(status, 200)
    }
  })

  await t.test('guessing is slowed down by the locks of logins', async () => {
    let locked: Told | undefined
    for (let i = 0; i < 12 && locked === undefined; i++) {
      const told = await ask('/orders', { authorization: basic('bob', `guess ${i}`) })
      if (told.status === 429) locked = told
      else assert.equal(told.status, 401)
    }
    assert.ok(locked !== undefined, 'twelve guesses and no lock')
    assert.match(String(locked.headers['retry-after']), /^[1-9]\d*$/)
    const login = await ask('/auth/login', { 'content-type': 'application/json', 'sec-fetch-site': 'same-origin' }, 'POST')
    assert.equal(login.status, 400, 'the endpoint is there')
  })
})

test('passwords without TLS are a mistake of the configuration', async (t) => {
  const folder = workFolder(t)
  folder.write('velum.config.yaml', config.replace(', tls: { dev: true }', '').replace('[basic, session]', '[basic]'))
  const { code, out, err } = await runCommand(['check'], { folder: folder.path, env: { UPSTREAM: 'http://127.0.0.1:1' } })
  assert.equal(code, 1)
  assert.match(out + err, /passwords anybody on the way could read/)
})
