import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { exchangeOf } from '../../test/support/exchange.ts'
import type { Answer } from '../core/answer.ts'
import { readAll } from '../core/body.ts'
import { dashboardFiles } from './dashboard-files.ts'

function folderOf(t: TestContext, files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'velum-dashboard-'))
  t.after(() => rmSync(folder, { recursive: true }))
  mkdirSync(join(folder, 'assets'))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  return folder
}

async function ask(folder: string, target: string, headers: readonly string[] = []): Promise<Answer> {
  const endpoint = dashboardFiles(folder)[target === '/' ? 0 : 1]
  return endpoint.handle(exchangeOf({ target, headers }))
}

const textOf = async ({ body }: Answer): Promise<string> => String(await readAll(body, 10_000))

const built = {
  'index.html': '<!doctype html>',
  'assets/index-a1.js': 'plain',
  'assets/index-a1.js.br': 'brotli',
  'assets/index-a1.js.gz': 'gzip',
  'secret.html': 'not listed',
}

test('the page is checked again each time, its assets never; both carry the policy', async (t) => {
  const folder = folderOf(t, built)
  const page = await ask(folder, '/')
  assert.deepEqual([page.status, page.headers.get('cache-control')], [200, 'no-cache'])
  const policy = String(page.headers.get('content-security-policy'))
  for (const part of ["default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"])
    assert.ok(policy.includes(part), part)
  assert.ok(!policy.includes('unsafe'))
  const asset = await ask(folder, '/assets/index-a1.js')
  assert.equal(asset.headers.get('cache-control'), 'public, max-age=31536000, immutable')
  assert.equal(asset.headers.get('content-type'), 'text/javascript; charset=utf-8')
})

test('an asset comes in the best coding that is accepted', async (t) => {
  const folder = folderOf(t, built)
  for (const [accepted, coding, text] of [
    ['gzip, deflate, br', 'br', 'brotli'],
    ['gzip', 'gzip', 'gzip'],
    ['identity', undefined, 'plain'],
  ] as const) {
    const answer = await ask(folder, '/assets/index-a1.js', ['accept-encoding', accepted])
    assert.equal(answer.headers.get('content-encoding'), coding)
    assert.equal(await textOf(answer), text)
  }
})

test('nothing else can be had', async (t) => {
  const folder = folderOf(t, built)
  for (const name of ['../index.html', '..%2findex.html', 'secret.html', 'index-a1.js.br', '', 'constructor'])
    assert.equal((await ask(folder, `/assets/${name}`)).status, 404, name)
})

test('an unbuilt dashboard says in one plain page what to run, and is found once it is there', async (t) => {
  const folder = folderOf(t, {})
  const endpoint = dashboardFiles(folder)[0]
  const answer = await endpoint.handle(exchangeOf({ target: '/' }))
  assert.equal(answer.status, 503)
  assert.match(await textOf(answer), /npm run build:dashboard/)
  writeFileSync(join(folder, 'index.html'), 'built meanwhile')
  assert.equal((await endpoint.handle(exchangeOf({ target: '/' }))).status, 200)
})
