import assert from 'node:assert/strict'
import { cpSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { buildSchema } from 'graphql'
import { runCommand, runVelum, workFolder } from '../support/velum-process.ts'
import type { WorkFolder } from '../support/velum-process.ts'

const config = `
listeners: { web: { port: 8080 } }
services:
  billing: { url: 'grpc://127.0.0.1:7003', protos: [protos/billing.proto] }
  asked: { url: 'grpc://127.0.0.1:7004', reflection: true }
  plain: { url: 'http://127.0.0.1:7005' }
defaults: { auth: public }
routes:
  - { name: billing, match: { path: ['/v1/**', '/billing.v1.Billing/{method}'] }, to: billing, bridge: [rest, websocket, connect] }
  - { name: graphql, match: { path: /graphql }, to: billing, bridge: graphql }
  - { name: asked, match: { path: '/asked/**' }, to: asked, bridge: grpc-web }
  - { name: plain, match: { path: /plain }, to: plain }
`

function folderOf(t: Parameters<typeof workFolder>[0]): WorkFolder {
  const folder = workFolder(t)
  cpSync(new URL('../../demo/protos', import.meta.url), join(folder.path, 'protos'), { recursive: true })
  folder.write('velum.config.yaml', config)
  return folder
}

test('velum bridge list tells every method behind a bridge, and whom only a running gateway can ask', async (t) => {
  const folder = folderOf(t).path
  const { code, out, err } = await runVelum(t, ['bridge', 'list'], { folder })
  assert.equal(code, 0, err)
  assert.match(
    out,
    /^billing +billing\.v1\.Billing\/PayInvoice +unary +POST \/v1\/invoices\/\{invoice_id\}:pay +rest websocket connect graphql$/m,
  )
  assert.match(out, /^billing +billing\.v1\.Billing\/Reconcile +both stream +- /m)
  assert.match(out, /^asked +\?/m)
  assert.doesNotMatch(out, /^plain/m)
  assert.match(err, /what asked offers is known only while a gateway runs/)
  const json = await runCommand(['bridge', 'list', '--json'], { folder })
  const [billing, asked] = JSON.parse(json.out) as { service: string; methods?: { method: string; summary: string }[] }[]
  assert.equal(billing.methods![0].summary, 'One invoice. NOT_FOUND when there is none.')
  assert.equal(asked.methods, undefined)
})

test('velum bridge openapi gives a document that velum import takes, and velum check too', async (t) => {
  const folder = folderOf(t).path
  const { code, out, err } = await runCommand(['bridge', 'openapi', 'billing'], { folder })
  assert.equal(code, 0, err)
  writeFileSync(join(folder, 'billing.json'), out)
  const imported = await runCommand(['import', 'openapi', 'billing.json'], { folder })
  assert.equal(imported.code, 0, imported.err)
  writeFileSync(join(folder, 'imported.yaml'), imported.out)
  const checked = await runCommand(['check', '--config', 'imported.yaml'], { folder })
  assert.equal(checked.code, 0, checked.out + checked.err)
})

test('velum bridge sdl gives a schema that GraphQL’s own reader takes', async (t) => {
  const { code, out, err } = await runCommand(['bridge', 'sdl', 'billing'], { folder: folderOf(t).path })
  assert.equal(code, 0, err)
  assert.deepEqual(Object.keys(buildSchema(out).getQueryType()!.getFields()), ['getInvoice', 'listInvoices'])
})

test('wrong words end with what would be right', async (t) => {
  const folder = folderOf(t).path
  const wrong = async (...args: string[]): Promise<[number | null, string]> => {
    const { code, err } = await runCommand(['bridge', ...args], { folder })
    return [code, err.split('\n').find((line) => line.startsWith('velum: ')) ?? err]
  }
  assert.deepEqual(await wrong('openapi'), [1, 'velum: say which service: those with a bridge are billing, asked'])
  assert.deepEqual(await wrong('sdl', 'plain'), [
    1,
    'velum: there is no service "plain" behind a bridge: those with a bridge are billing, asked',
  ])
  assert.equal((await wrong('openapi', 'asked'))[0], 1)
  assert.equal((await wrong('paint'))[0], 2)
})
