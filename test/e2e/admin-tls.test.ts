// The admin server by HTTPS: who is trusted by commands and browsers, and certificates that change while it runs.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { request } from 'node:https'
import type { IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { test } from 'node:test'
import { connect } from 'node:tls'
import { createTestAuthority } from '../support/authority.ts'
import { readyListeners, runCommand, startVelum, workFolder } from '../support/velum-process.ts'
import type { WorkFolder } from '../support/velum-process.ts'

const config = (tls: string): string => `
name: secured
listeners: { plain: { port: 0, host: 127.0.0.1 } }
admin: { port: 0, names: [admin.test], tls: ${tls} }
log: { format: none }
identity: { issuer: 'https://localhost:8443' }
routes:
  - { name: hello, match: { path: /hello }, auth: public, respond: { status: 200, body: hello } }
`

interface Started {
  readonly folder: WorkFolder
  readonly admin: URL
}

async function start(t: Parameters<typeof workFolder>[0], folder: WorkFolder, tls: string): Promise<Started> {
  folder.write('velum.config.yaml', config(tls))
  const velum = startVelum(t, ['run', '--workers', '1'], { folder: folder.path })
  await readyListeners(velum)
  const [, url] = await velum.printed(/"admin":"(https:[^"]+)"/)
  return { folder, admin: new URL(url) }
}

/** What the admin server answers to a browser of its own page. */
async function ask(
  admin: URL,
  options: { readonly ca: string; readonly servername?: string; readonly method?: string },
  path: string,
  headers: Record<string, string> = {},
  content = '',
): Promise<{ status: number | undefined; headers: IncomingMessage['headers']; text: string }> {
  const sent = request(new URL(path, admin), {
    ...options,
    agent: false,
    headers: { ...headers, 'content-length': content.length },
  })
  sent.end(content)
  const [response] = (await once(sent, 'response')) as [IncomingMessage]
  let text = ''
  for await (const chunk of response) text += String(chunk)
  return { status: response.statusCode, headers: response.headers, text }
}

test('the admin server by HTTPS, with a certificate from files', { timeout: 60_000 }, async (t) => {
  const authority = await createTestAuthority('of operators')
  const folder = workFolder(t)
  const put = async (): Promise<string> => {
    const pair = await authority.issue('admin.test')
    folder.write('admin.key', pair.key)
    return folder.write('admin.pem', pair.cert) && pair.cert
  }
  const first = await put()
  const { admin } = await start(t, folder, '{ certificates: [{ cert: admin.pem, key: admin.key }] }')
  const token = readFileSync(join(folder.path, '.velum', 'admin.token'), 'utf8').trim()
  const bearer = { authorization: `Bearer ${token}` }
  const trust = { ca: authority.cert, servername: 'admin.test' }

  assert.equal((await ask(admin, trust, '/healthz')).status, 200)
  assert.equal((await ask(admin, trust, '/api/config')).status, 401)
  assert.equal((await ask(admin, trust, '/api/config', { ...bearer, host: 'evil.test' })).status, 421)
  const listed = await ask(admin, trust, '/api/certificates', bearer)
  assert.deepEqual(
    (JSON.parse(listed.text) as { certificates: { place: string; names: string[] }[] }).certificates.map(({ place, names }) => [
      place,
      names.includes('admin.test'),
    ]),
    [['admin', true]],
  )

  // A browser gets a cookie that only this host, and only over TLS, can set.
  const body = JSON.stringify({ token })
  const page = { origin: admin.origin, 'content-type': 'application/json', 'sec-fetch-site': 'same-origin' }
  const session = await ask(admin, { ...trust, method: 'POST' }, '/api/dashboard/session', page, body)
  assert.equal(session.status, 200)
  assert.match(
    String(session.headers['set-cookie']),
    /^__Host-velum-admin=[\w-]{43}; Path=\/; Max-Age=43200; HttpOnly; SameSite=Strict; Secure$/,
  )
  const plain = { ...page, origin: admin.origin.replace('https:', 'http:') }
  assert.equal((await ask(admin, { ...trust, method: 'POST' }, '/api/dashboard/session', plain, body)).status, 403)
  const proof = (JSON.parse(session.text) as { proof: string }).proof
  const [cookie] = session.headers['set-cookie'] ?? []
  const signedIn = { cookie: cookie.split(';')[0], 'x-velum-proof': proof }
  assert.equal((await ask(admin, trust, '/api/config', signedIn)).status, 200)

  // Commands trust what the configuration names, by its name and not by the address.
  const added = await runCommand(['user', 'add', 'ada', '--password-stdin'], {
    folder: folder.path,
    input: 'correct horse battery',
  })
  assert.equal(added.code, 0, added.err)

  // A renewed certificate is served without a restart; who is connected stays so.
  const lasting = connect({ host: admin.hostname, port: Number(admin.port), servername: 'admin.test', ca: authority.cert })
  await once(lasting, 'secureConnect')
  const renewed = await put()
  assert.notEqual(first, renewed)
  const served = async (): Promise<string> => {
    const socket = connect({ host: admin.hostname, port: Number(admin.port), servername: 'admin.test', ca: authority.cert })
    await once(socket, 'secureConnect')
    const pem = socket.getPeerX509Certificate()?.toString() ?? ''
    socket.destroy()
    return pem
  }
  while ((await served()).trim() !== renewed.trim());
  lasting.write(`GET /healthz HTTP/1.1\r\nHost: admin.test\r\nConnection: close\r\n\r\n`)
  assert.match(String(await once(lasting, 'data')), /^HTTP\/1\.1 200/)
  const list = await runCommand(['user', 'list'], { folder: folder.path })
  assert.equal(list.code, 0, list.err)
  assert.match(list.out, /ada/)

  // A server with another certificate than the configuration names is not spoken to.
  const impostor = await (await createTestAuthority('somebody else')).issue('admin.test')
  folder.write('other.pem', impostor.cert)
  folder.write('other.key', impostor.key)
  folder.write('other.yaml', config('{ certificates: [{ cert: other.pem, key: other.key }] }'))
  const refused = await runCommand(['user', 'list', '--config', 'other.yaml'], { folder: folder.path })
  assert.equal(refused.code, 3)
  assert.match(refused.err, /does not answer: .*(?:certificate|issuer)/)
})

test('the admin server by HTTPS, with a development certificate', { timeout: 60_000 }, async (t) => {
  const { folder, admin } = await start(t, workFolder(t), '{ dev: true }')
  const ca = readFileSync(join(folder.path, '.velum', 'dev-ca.pem'), 'utf8')
  assert.equal((await ask(admin, { ca }, '/readyz')).status, 200)
  const list = await runCommand(['user', 'list'], { folder: folder.path })
  assert.equal(list.code, 0, list.err)
})
