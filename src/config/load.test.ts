import assert from 'node:assert/strict'
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { ManualClock } from '../core/manual-clock.ts'
import { loadGateway } from './load.ts'
import type { LoadOptions } from './load.ts'

const scratch = realpathSync(mkdtempSync(join(tmpdir(), 'velum-load-')))
after(() => rmSync(scratch, { recursive: true, force: true }))
let folders = 0

/** A folder with these files, and how to load from it. */
function place(files: Record<string, string>): {
  folder: string
  load: (file?: string, more?: LoadOptions) => ReturnType<typeof loadGateway>
} {
  const folder = mkdtempSync(join(scratch, `${folders++}-`))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  return { folder, load: (file, more) => loadGateway(file, { folder, env: {}, print: () => {}, ...more }) }
}

const yaml = (name: string): string => `name: ${name}
listeners: { plain: { port: 8080 } }
routes: [{ name: hello, match: { path: /hello }, respond: { status: 200 }, auth: public }]
`
const module = (head: string, name = "'gateway'"): string => `${head}
export default {
  name: ${name},
  listeners: { plain: { port: 8080 } },
  routes: [{ name: 'hello', match: { path: '/hello' }, respond: { status: 200 }, auth: 'public' }],
}
`

test('takes the first default file there is and tells of the others', async () => {
  const { folder, load } = place({
    'velum.config.json': '{}',
    'velum.config.yaml': yaml('from-yaml'),
    'velum.config.js': module('', "'from-js'"),
  })
  const { file, model, findings } = await load()
  assert.equal(file, join(folder, 'velum.config.js'))
  assert.equal(model?.name, 'from-js')
  assert.deepEqual(
    findings.map(({ severity, message }) => `${severity}: ${message}`),
    ['warning: velum.config.yaml lies beside it and is not used', 'warning: velum.config.json lies beside it and is not used'],
  )
})

test('says what to do where there is no configuration', async () => {
  const { folder, load } = place({})
  const { model, findings } = await load()
  assert.equal(model, undefined)
  assert.equal(findings[0].file, folder)
  assert.match(findings[0].message, /^there is no configuration in this folder \(none of velum\.config\.ts, /)
  assert.match(findings[0].remedy, /velum init/)
})

test('a file that is named and missing, or is a folder, is a finding', async () => {
  const { folder, load } = place({})
  assert.deepEqual((await load('nope.yaml')).findings[0].message, 'the file does not exist')
  assert.deepEqual((await load('nope.yaml')).findings[0].file, join(folder, 'nope.yaml'))
  assert.deepEqual((await load('.')).findings[0].message, 'this is not a file')
})

test('a byte order mark and Windows line ends do no harm', async () => {
  const { load } = place({ 'a.yaml': `\uFEFF${yaml('marked').replaceAll('\n', '\r\n')}`, 'a.json': `\uFEFF{}` })
  assert.equal((await load('a.yaml')).model?.name, 'marked')
  assert.deepEqual(
    (await load('a.json')).findings.map(({ path }) => path),
    ['listeners', 'routes'],
  )
})

test('every load sees the files as they are now, also those that are imported', async () => {
  const { folder, load } = place({
    'velum.config.ts': module("import { name } from './name.ts'", 'name'),
    'name.ts': "export const name = 'one'",
  })
  assert.equal((await load()).model?.name, 'one')
  writeFileSync(join(folder, 'name.ts'), "export const name: string = 'two'")
  assert.equal((await load()).model?.name, 'two')
})

test('names every file that it read, so that a watcher knows them', async () => {
  const { folder, load } = place({
    'velum.config.ts': module(
      "import { name } from './name.ts'\nimport { defineGateway } from 'velum'\nvoid defineGateway",
      'name',
    ),
    'name.ts': "export const name = 'one'",
  })
  assert.deepEqual((await load()).files, [join(folder, 'velum.config.ts'), join(folder, 'name.ts')])
  const broken = place({ 'velum.config.ts': "import './broken.ts'\nexport default {}", 'broken.ts': 'enum A { a }' })
  assert.deepEqual((await broken.load()).files, [join(broken.folder, 'velum.config.ts'), join(broken.folder, 'broken.ts')])
  const keys = place({
    'velum.config.yaml': `${yaml('keys')}identity: { trustedIssuers: { a: { issuer: a, audience: b, jwks: keys.json } } }\n`,
    'keys.json': '{ "keys": [{ "kty": "EC" }] }',
  })
  assert.deepEqual((await keys.load()).files, [join(keys.folder, 'velum.config.yaml'), join(keys.folder, 'keys.json')])
})

test('what the file prints goes where it is told, never to stdout', async () => {
  const { load } = place({ 'velum.config.ts': module("console.log('hello')\nconsole.error('there')") })
  let printed = ''
  const { model } = await load(undefined, { print: (text) => (printed += text) })
  assert.notEqual(model, undefined)
  assert.deepEqual(printed.split('\n').toSorted(), ['', 'hello', 'there'])
})

test('the file sees the environment that it is given, and cannot change that of the process', async () => {
  const { load } = place({ 'velum.config.ts': module("process.env['VELUM_LOAD_TEST'] = 'x'", "process.env['NAME']") })
  assert.equal((await load(undefined, { env: { NAME: 'given' } })).model?.name, 'given')
  assert.equal(process.env['VELUM_LOAD_TEST'], undefined)
})

test('a timer or a rejected promise that the file leaves behind holds nothing up', async () => {
  const { load } = place({ 'velum.config.ts': module('setInterval(() => {}, 1000)') })
  assert.notEqual((await load()).model, undefined)
  const rejecting = place({
    'velum.config.ts': module(
      "void Promise.reject(new Error('left behind'))\nawait new Promise((resolve) => setImmediate(resolve))",
    ),
  })
  assert.match((await rejecting.load()).findings[0].message, /left behind/)
})

test('a file that never ends is given up', async () => {
  const clock = new ManualClock()
  const { load } = place({ 'velum.config.ts': module('for (;;);') })
  const loading = load(undefined, { clock, timeoutMs: 10_000 })
  clock.advance(10_000)
  const { model, findings } = await loading
  assert.equal(model, undefined)
  assert.equal(findings[0].message, 'the file did not finish evaluating within 10s')
})

test('a path with spaces and other letters is no trouble', async () => {
  const { load } = place({ 'my confíg #1%20.ts': module("import './a b.ts'"), 'a b.ts': '', 'syntax é.ts': 'export default {' })
  assert.notEqual((await load('my confíg #1%20.ts')).model, undefined)
  const { findings } = await load('syntax é.ts')
  assert.ok(findings[0].file.endsWith('/syntax é.ts'))
  assert.equal(findings[0].line, 1)
})
