// Secrets are planted everywhere; then everything that a gateway writes, answers and keeps is searched for them.
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { serviceOf } from '../support/http-service.ts'
import { adminEndpoints } from '../../src/admin/endpoints.ts'
import type { Gateway } from '../../src/gateway/gateway.ts'
import type { Reloader } from '../../src/gateway/reloader.ts'
import type { ShadowSwitch } from '../../src/gateway/shadow-switch.ts'
import { main } from '../../src/cli/main.ts'
import { createTestAuthority } from '../support/authority.ts'
import { startOtlpReceiver } from '../support/otlp-receiver.ts'
import { httpsAsker } from '../support/velum-https.ts'
import type { Asked, Reply } from '../support/velum-https.ts'
import { runVelum, startVelum, workFolder } from '../support/velum-process.ts'

const config = readFileSync(new URL('planted-secrets.yaml', import.meta.url), 'utf8')

/** Something that none of those may see who read what the gateway tells. */
const plant = (name: string): string => `${name}+/&=:${randomBytes(18).toString('base64url')}`
/** The middle of a key in PEM: its first lines are the same in all keys. */
const pemPart = (pem: string): string => pem.split('\n').slice(2, -2).join('\n').slice(0, 60)
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

/** Every spelling in which a value could turn up: plain, in JSON, in a URL, and by base64 at each of three alignments. */
function spellings(value: string): string[] {
  const found = [
    value,
    JSON.stringify(value).slice(1, -1),
    encodeURIComponent(value),
    new URLSearchParams({ v: value }).toString().slice(2),
  ]
  for (let before = 0; before < 3; before++) {
    const bytes = Buffer.concat([Buffer.alloc(before), Buffer.from(value)])
    const whole = bytes.subarray(before === 0 ? 0 : 3, bytes.length - (bytes.length % 3))
    found.push(whole.toString('base64'), whole.toString('base64url'))
  }
  return [...new Set(found)]
}

/** What was seen, and where. */
class Seen {
  readonly #texts: { readonly where: string; readonly text: string }[] = []

  add(where: string, text: string): void {
    this.#texts.push({ where, text })
  }

  get length(): number {
    return this.#texts.length
  }

  /** The places at which secrets can be read. */
  leaks(secrets: ReadonlyMap<string, string>): string[] {
    const found: string[] = []
    for (const [name, value] of secrets) {
      const sought = spellings(value)
      for (const { where, text } of this.#texts) {
        const spelling = sought.find((spelled) => text.includes(spelled))
        if (spelling !== undefined) found.push(`${name} in ${where}: ${around(text, spelling)}`)
      }
    }
    return found
  }
}

function around(text: string, part: string): string {
  const at = text.indexOf(part)
  return text.slice(Math.max(0, at - 100), at + part.length + 20)
}

test('the search finds a secret in every spelling', () => {
  const secret = plant('proof')
  const basic = ['a', 'ab', 'abc'].map((user) => Buffer.from(`${user}:${secret}`).toString('base64'))
  for (const text of [secret, encodeURIComponent(secret), ...basic, `"${secret}"`]) {
    const seen = new Seen()
    seen.add('there', `before ${text} after`)
    assert.equal(seen.leaks(new Map([['proof', secret]])).length, 1, text)
  }
})

test('no secret can be read in what a gateway tells and keeps', async (t) => {
  const seen = new Seen()
  const secrets = new Map<string, string>()
  const keep = (name: string, value: string): string => {
    assert.ok(value.length > 20, name)
    secrets.set(name, value)
    return value
  }
  const planted = (name: string): string => keep(name, plant(name))

  const site = await (await createTestAuthority('planted')).issue('localhost')
  keep('key of a certificate', pemPart(site.key))
  const collector = await startOtlpReceiver()
  t.after(() => collector.close())
  const apiKey = planted('API key of the configuration')
  const clientSecret = planted('client secret')
  const password = planted('password')
  const adminToken = planted('admin token')
  const query = new URLSearchParams({ page: '2', access_token: planted('token in a query') }).toString()
  const env = {
    UPSTREAM: await upstreamOf(t, seen),
    COLLECTOR: collector.url,
    FORMAT: 'json',
    SECRET: planted('secret'),
    OLD_SECRET: planted('secret that was before'),
    OTLP_KEY: planted('header for OTLP'),
    CLIENT_SECRET_HASH: sha256(clientSecret),
    API_KEY_HASH: sha256(apiKey),
    PROVIDER_SECRET: planted('secret at a provider'),
    INTROSPECTION_SECRET: planted('secret for introspection'),
    VELUM_ADMIN_TOKEN: adminToken,
  }
  const folder = workFolder(t)
  const options = { folder: folder.path, env }
  folder.write('velum.config.yaml', config)
  folder.write('site.pem', site.cert)
  folder.write('site.key', site.key)
  const command = async (args: readonly string[], input = ''): Promise<string> => {
    let text = ''
    const add = (part: string): void => void (text += part)
    // In this process: eleven more would take most of the time.
    await main(args, { out: add, err: add, env, folder: folder.path, stdin: Readable.from([input]) })
    seen.add(`velum ${args[0]}`, text)
    return text
  }
  await command(['user', 'add', 'ada', '--password-stdin', '--roles', 'staff'], password)

  // It waits for its store a while; the rest goes on meanwhile.
  const gone = `redis://user:${plantedWord(planted, 'password of a Redis that is gone')}@127.0.0.1:1`
  folder.write('gone.yaml', `${config}\nstore: { kind: redis, url: '${gone}' }\n`)
  const withoutStore = runVelum(t, ['user', 'list', '--config', 'gone.yaml', '--debug'], options)
  const velum = startVelum(t, ['run', '--workers', '1', '--shutdown-delay', '0s', '--debug'], options)
  const [line] = await velum.printed(/^\{.*"msg":"the gateway is ready".*\}$/m)
  const ready = JSON.parse(line) as { listeners: { dev: string }; admin: string }
  const ask = httpsAsker(ready.listeners.dev.replace('127.0.0.1', 'localhost'), folder.path)
  keep('key of the development authority', pemPart(readFileSync(join(folder.path, '.velum', 'dev-ca-key.pem'), 'utf8')))
  /** An answer that shows no secret by design. */
  const told = async (method: string, path: string, asked: Asked = {}): Promise<Reply> => {
    const reply = await ask(method, path, asked)
    seen.add(`the answer to ${method} ${path.split('?')[0]}`, `${JSON.stringify(reply.headers)}\n${reply.content}`)
    return reply
  }
  const admin = async (path: string, init: RequestInit = {}): Promise<string> => {
    const reply = await fetch(new URL(path, ready.admin), { ...init, headers: { authorization: `Bearer ${adminToken}` } })
    const text = await reply.text()
    seen.add(`the admin server, ${path}`, text)
    return text
  }

  // What is shown once, to whom it is for: these answers are not searched.
  const login = (fields: object): Promise<Reply> => ask('POST', '/auth/login', { json: { username: 'ada', password, ...fields } })
  const session = (await login({})).cookies[0]
  keep('session cookie', session.slice(session.indexOf('=') + 1))
  const tokens = JSON.parse((await login({ deliver: 'token' })).content) as { access_token: string; refresh_token: string }
  keep('signature of an access token', tokens.access_token.split('.')[2])
  keep('refresh token', tokens.refresh_token)
  const client = await ask('POST', '/auth/token', {
    form: { grant_type: 'client_credentials', client_id: 'worker', client_secret: clientSecret },
  })
  const clientToken = (JSON.parse(client.content) as { access_token: string }).access_token
  keep('signature of a token of a client', clientToken.split('.')[2])
  let made = ''
  const add = (part: string): void => void (made += part)
  await main(['key', 'create', 'partner', '--scopes', 'orders:read', '--json'], { out: add, err: add, env, folder: folder.path })
  const { key: madeKey } = JSON.parse(made) as { key: string }
  keep('API key', madeKey.slice(madeKey.lastIndexOf('_') + 1))

  const credentials: readonly Readonly<Record<string, string>>[] = [
    { cookie: session },
    { authorization: `Bearer ${tokens.access_token}` },
    { authorization: `Bearer ${clientToken}` },
    { 'x-api-key': apiKey },
    { 'x-api-key': madeKey },
    { authorization: `Bearer ${planted('bearer token that is none').replaceAll(/[&:]/g, '')}` },
    { authorization: `Basic ${Buffer.from(`ada:${password}`).toString('base64')}` },
    { 'x-api-key': `${madeKey.slice(0, -4)}AAAA` },
    { cookie: `${session.slice(0, -4)}AAAA` },
    { cookie: session, 'x-api-key': apiKey, authorization: `Bearer ${tokens.access_token}` },
  ]
  const statuses: number[] = []
  const ids: string[] = []
  const drive = async (): Promise<void> => {
    for (const headers of credentials) {
      for (const path of [`/orders/1?${query}`, `/dead?${query}`, `/nowhere?${query}`]) {
        const reply = await told('GET', path, { headers })
        statuses.push(reply.status)
        ids.push(String(reply.headers['x-request-id']))
      }
    }
  }
  await drive()
  assert.deepEqual(statuses.filter((_, i) => i % 3 === 0).slice(0, 7), [200, 200, 200, 200, 200, 401, 401])
  assert.ok(statuses.includes(503) && statuses.includes(404), statuses.join())
  const wrong = planted('wrong password')
  for (const username of ['ada', 'nobody'])
    assert.equal((await told('POST', '/auth/login', { json: { username, password: wrong } })).status, 401)
  await told('POST', '/auth/login', {
    form: { username: 'ada', password: wrong, return_to: '/orders/1' },
    headers: { accept: 'text/html', 'sec-fetch-site': 'same-origin' },
  })
  for (const form of [
    { grant_type: 'client_credentials', client_id: 'worker', client_secret: planted('wrong client secret') },
    { grant_type: 'refresh_token', refresh_token: planted('wrong refresh token') },
    { grant_type: 'authorization_code', code: planted('code') },
  ] as Record<string, string>[])
    assert.ok((await told('POST', '/auth/token', { form })).status >= 400)
  await told('GET', '/auth/oidc/corp?return_to=/')
  await told(
    'GET',
    `/auth/oidc/corp/callback?${new URLSearchParams({ code: planted('code of a provider'), state: planted('state') }).toString()}`,
  )
  await told('GET', '/auth/sessions', { headers: { cookie: session } })
  // A redirect to the login page says the whole address, to whoever asked for it.
  await ask('GET', `/orders/1?${query}`, { headers: { accept: 'text/html', 'sec-fetch-mode': 'navigate' } })

  // The operator: every question there is, and commands.
  const question = [`https://localhost/orders/1?${query}`, '-H', `cookie: ${session}`, '-H', `x-api-key: ${apiKey}`]
  await command(['explain', 'GET', ...question, '--debug'])
  await command(['explain', 'GET', ...question, '--offline', '--json', '-H', `authorization: Bearer ${tokens.access_token}`])
  await command(['token', 'inspect', '--json'], tokens.refresh_token)
  const limits = JSON.parse(await admin('/api/limits')) as { limits: { id: string }[] }
  // Asked for its addresses only.
  const none: unknown = new Proxy({}, { get: () => () => {} })
  const paths = adminEndpoints(none as Gateway, none as Reloader, none as ShadowSwitch).filter(({ method }) => method === 'GET')
  assert.ok(paths.length > 20, `${paths.length} addresses`)
  for (const { path } of paths) {
    const id = path.startsWith('/api/limits') ? limits.limits[0].id : ids[0]
    await admin(path.replace('{id}', encodeURIComponent(id)).replace('{service}', 'orders'))
  }
  for (const id of ids.slice(-12)) await admin(`/api/requests/${id}`)
  const body = JSON.stringify({
    method: 'GET',
    url: `https://localhost/orders/1?${query}`,
    headers: [
      ['x-api-key', apiKey],
      ['cookie', session],
    ],
  })
  await admin('/api/explain', { method: 'POST', body })
  await admin(`/api/nothing?${query}`)
  seen.add(
    'the admin server, a wrong token',
    await (
      await fetch(new URL('/api/config', ready.admin), { headers: { authorization: `Bearer ${planted('wrong admin token')}` } })
    ).text(),
  )

  // A reload that fails, by each of the mistakes of a careless operator; then one that changes the access log.
  for (const [name, broken] of mistakes(config, planted)) {
    folder.write('broken.yaml', broken)
    if (name === 'first') {
      folder.write('velum.config.yaml', broken)
      await admin('/api/reload', { method: 'POST' })
    }
    await command(['check', '--config', 'broken.yaml', '--debug'])
  }
  const cut = `{ "secret": ["${planted('secret in JSON')}", ${plantedWord(planted, 'secret without quotes')}] }`
  folder.write('broken.json', cut)
  await command(['check', '--config', 'broken.json', '--debug'])
  folder.write('velum.config.yaml', config.replace('${FORMAT}', 'combined'))
  assert.match(await admin('/api/reload', { method: 'POST' }), /"committed":true/)
  const jsonLog = readFileSync(join(folder.path, 'access.log'), 'utf8')
  folder.write('replayed.log', jsonLog)
  await command(['replay', '--log', 'replayed.log', '--clients', '50', '--json'])
  await drive()
  await collector.until((spans) => spans.length > 60)
  velum.kill('SIGTERM')
  const ended = await velum.ended
  assert.equal(ended.code, 0)
  const lost = await withoutStore
  assert.equal(lost.code, 3, lost.err)
  assert.match(lost.err, /cannot be used/)
  seen.add('a command whose store is gone', lost.out + lost.err)
  seen.add('the operational log', ended.out + ended.err)
  const log = readFileSync(join(folder.path, 'access.log'), 'utf8')
  assert.match(log, /^\{"/m)
  assert.match(log, /^127\.0\.0\.1 .*"GET \/orders\/1\?page=2&access_token=\[redacted\] HTTP/m)
  seen.add('the access log', log)
  seen.add('the traces', collector.text())

  // What the store keeps is sealed or hashed, and for its owner alone. The keys of the development authority stand there in
  // PEM, as those of other certificates do in files of their own.
  const store = join(folder.path, '.velum')
  assert.equal(statSync(store).mode & 0o777, 0o700)
  let files = 0
  for (const entry of readdirSync(store, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    const { mode } = statSync(path)
    if (entry.isDirectory()) assert.equal(mode & 0o077, 0, path)
    // The certificate of the development authority is for everybody.
    else if (entry.name !== 'dev-ca.pem') assert.equal(mode & 0o777, 0o600, path)
    if (!entry.isFile()) continue
    files++
    if (!/(?:^|-)key\.pem$/.test(entry.name)) seen.add(`the file ${entry.name} of the store`, readFileSync(path, 'latin1'))
  }
  assert.ok(files >= 3, `${files} files`)
  assert.ok(secrets.size >= 24 && seen.length > 100, `${secrets.size} secrets, ${seen.length} texts`)
  assert.deepEqual(seen.leaks(secrets), [])
})

/** Configurations with secrets where none belong, or that cannot be read where one stands. */
function* mistakes(good: string, planted: (name: string) => string): Generator<[name: string, config: string]> {
  const quoted = (name: string): string => JSON.stringify(planted(name))
  const raw = (name: string): string => plantedWord(planted, name)
  // The key itself where its hash should stand, a secret that is too short for its kind, an unknown key beside.
  yield [
    'first',
    good
      .replace("'${API_KEY_HASH}'", quoted('key in the place of its hash'))
      .replace("'${CLIENT_SECRET_HASH}'", quoted('secret in the place of its hash'))
      .replace("['${SECRET}', '${OLD_SECRET}']", quoted('secret that is no list')),
  ]
  yield ['unknown keys', `${good}\npassword: ${quoted('password under an unknown key')}\n`]
  yield ['in a URL', good.replace("'${UPSTREAM}'", `http://user:${raw('password in a URL')}@127.0.0.1:1`)]
  yield ['store', `${good}\nstore: { kind: redis, url: 'redis://user:${raw('password of Redis')}@127.0.0.1:port' }\n`]
  yield [
    'syntax',
    good.replace(
      "['${SECRET}', '${OLD_SECRET}']",
      `[${quoted('secret before a mistake')}, ${quoted('secret beside a mistake')}} ]`,
    ),
  ]
}

/** As it can stand in a URL and in YAML without quotes. */
function plantedWord(planted: (name: string) => string, name: string): string {
  return encodeURIComponent(planted(name))
}

/** A service that answers with a page; the heads that it gets must hold no credential. */
function upstreamOf(t: TestContext, seen: Seen): Promise<string> {
  return serviceOf(t, (incoming, response) => {
    // The query is for the service.
    seen.add('what the service is told', JSON.stringify({ ...incoming.headers, referer: '' }))
    incoming.resume().on('end', () => response.end('{}'))
  })
}
