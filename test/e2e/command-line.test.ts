import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import type { ServerResponse } from 'node:http'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { readyListeners, runCommand, runVelum, startVelum, workFolder } from '../support/velum-process.ts'

const hello = (port: number, body = 'hello'): string => `
name: test
listeners: { web: { port: ${port}, host: 127.0.0.1 } }
log: { format: none }
routes:
  - { name: hello, match: { path: / }, auth: public, respond: { status: 200, body: '${body}' } }
`

test('help lists every command that works, and each has help of its own', async (t) => {
  const folder = workFolder(t).path
  const { code, out } = await runVelum(t, ['help'], { folder })
  assert.equal(code, 0)
  const names = [...out.matchAll(/^ {2}(\w+) /gm)].map(([, name]) => name)
  assert.deepEqual(names, [
    'run',
    'demo',
    'init',
    'check',
    'routes',
    'explain',
    'diff',
    'import',
    'bridge',
    'test',
    'replay',
    'user',
    'token',
    'shadow',
    'penalty',
    'key',
    'keys',
    'version',
    'help',
  ])
  for (const name of names.slice(0, -1)) {
    // A process for each command would take a busy machine a minute.
    const help = await runCommand(['help', name], { folder })
    assert.equal(help.code, 0)
    assert.ok(help.out.includes(`Usage: velum ${name}`), help.out)
    assert.equal((await runCommand([name, '--help'], { folder })).out, help.out)
  }
})

test('a wrong command line is exit 2 with one line on stderr', async (t) => {
  const folder = workFolder(t).path
  const cases: readonly (readonly [string[], RegExp])[] = [
    [['rnu'], /^velum: there is no command "rnu"; did you mean "run"\? \(see "velum help"\)\n$/],
    [['check', '--strcit'], /^velum: Unknown option '--strcit' \(see "velum help check"\)\n$/],
    [['check', 'velum.config.ts'], /^velum: "velum check" does not take "velum\.config\.ts" \(see "velum help check"\)\n$/],
    [['run', '--workers', 'many'], /^velum: --workers takes a number from 1 to 999, or "auto", not "many"\n$/],
    [['run', '--shutdown-delay', 'soon'], /^velum: --shutdown-delay: .*\n$/],
  ]
  for (const [args, message] of cases) {
    const { code, out, err } = await runCommand(args, { folder })
    assert.deepEqual([code, out], [2, ''], args.join(' '))
    assert.match(err, message)
  }
  const { code, err } = await runVelum(t, cases[0][0], { folder })
  assert.equal(code, 2)
  assert.match(err, cases[0][1])
  assert.equal((await runCommand([], { folder })).code, 2)
})

test('version names the package and its runtime', async (t) => {
  const { code, out } = await runVelum(t, ['version'], { folder: workFolder(t).path })
  assert.equal(code, 0)
  assert.match(out, /^velum \d+\.\d+\.\d+ \(node \d+\.\d+\.\d+\)\n$/)
})

test('a Node.js that is too old is told so in one line, exit 3', async (t) => {
  const older = 'data:text/javascript,Object.defineProperty(process,"versions",{value:{...process.versions,node:"20.1.0"}})'
  const { code, out, err } = await runVelum(t, ['version'], { folder: workFolder(t).path, nodeArgs: ['--import', older] })
  assert.deepEqual([code, out, err], [3, '', 'velum: this is Node.js 20.1.0; Velum needs 24 or newer\n'])
})

test('init writes a configuration that is clean under check --strict, and never over one that is there', async (t) => {
  const folder = workFolder(t).path
  assert.equal((await runVelum(t, ['init'], { folder })).code, 0)
  const written = readFileSync(join(folder, 'velum.config.ts'), 'utf8')
  const check = await runVelum(t, ['check', '--strict'], { folder })
  assert.deepEqual([check.code, check.err], [0, ''])
  const again = await runCommand(['init'], { folder })
  assert.equal(again.code, 1)
  assert.match(again.err, /^velum: velum\.config\.ts is there already/)
  assert.equal(readFileSync(join(folder, 'velum.config.ts'), 'utf8'), written)
})

test('check says everything that is wrong on stderr, or as JSON on stdout, and is exit 1', async (t) => {
  const folder = workFolder(t)
  folder.write(
    'velum.config.yaml',
    'listeners: { web: { prot: 8080 } }\nroutes:\n  - { name: a, match: { path: /a }, to: nowhere, auth: public }\n',
  )
  const { code, out, err } = await runVelum(t, ['check'], { folder: folder.path })
  assert.deepEqual([code, out], [1, ''])
  assert.match(err, /velum\.config\.yaml.*listeners\.web/)
  assert.match(err, /routes\[0\]\.to/)
  const json = await runCommand(['check', '--json'], { folder: folder.path })
  assert.equal(json.code, 1)
  const report = JSON.parse(json.out) as { clean: boolean; findings: { path: string }[] }
  assert.equal(report.clean, false)
  assert.ok(report.findings.some(({ path }) => path === 'routes[0].to'))
  const none = await runCommand(['check'], { folder: workFolder(t).path })
  assert.equal(none.code, 1)
  assert.match(none.err, /velum init/)
})

test('routes prints the table in match order, and as JSON with each route’s policies', async (t) => {
  const folder = workFolder(t)
  folder.write(
    'velum.config.yaml',
    `listeners: { web: { port: 8080 } }
routes:
  - { name: rest, match: { path: '/a/**' }, auth: public, respond: { status: 200 } }
  - { name: exact, match: { path: /a/b, methods: [GET] }, auth: public, cors: { origins: ['https://app.example.com'] }, respond: { status: 200 } }
`,
  )
  const { code, out } = await runVelum(t, ['routes'], { folder: folder.path })
  assert.equal(code, 0)
  const rows = out.trimEnd().split('\n')
  assert.match(rows[0], /^ROUTE +METHODS +HOSTS +PATHS +TO +POLICIES$/)
  assert.match(rows[1], /^exact +GET +\* +\/a\/b +respond 200 +.*cors/)
  assert.match(rows[2], /^rest +\* +\* +\/a\/\*\* +respond 200/)
  const json = JSON.parse((await runCommand(['routes', '--json'], { folder: folder.path })).out) as {
    name: string
    source: string
  }[]
  assert.deepEqual(
    json.map(({ name, source }) => [name, source]),
    [
      ['exact', 'routes[1]'],
      ['rest', 'routes[0]'],
    ],
  )
})

test('run with a taken port is exit 3 and names the port', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1')
  t.after(() => taken.close())
  await once(taken, 'listening')
  const { port } = taken.address() as AddressInfo
  const folder = workFolder(t)
  folder.write('velum.config.yaml', hello(port))
  const { code, out, err } = await runVelum(t, ['run'], { folder: folder.path })
  assert.deepEqual([code, out], [3, ''])
  assert.match(err, new RegExp(`^velum: listener "web": port ${port} on 127\\.0\\.0\\.1 is taken by another process\\n$`))
})

test('run with a broken configuration is exit 1 and opens nothing', async (t) => {
  const folder = workFolder(t)
  folder.write('velum.config.yaml', hello(0).replace('auth: public, ', ''))
  const { code, err } = await runVelum(t, ['run'], { folder: folder.path })
  assert.equal(code, 1)
  assert.match(err, /routes\[0\]/)
})

test('run serves, SIGHUP reloads, a broken file changes nothing, SIGTERM ends it with exit 0', async (t) => {
  const folder = workFolder(t)
  folder.write('velum.config.yaml', hello(0, 'one'))
  const velum = startVelum(t, ['run', '--workers', '2', '--shutdown-delay', '0ms'], { folder: folder.path })
  const { web } = await readyListeners(velum)
  const get = async (): Promise<string> => (await fetch(web)).text()
  assert.equal(await get(), 'one')
  folder.write('velum.config.yaml', hello(0, 'two'))
  velum.kill('SIGHUP')
  await velum.printed(/"msg":"the configuration was replaced"/)
  assert.equal(await get(), 'two')
  folder.write('velum.config.yaml', 'routes: 3')
  velum.kill('SIGHUP')
  await velum.printed(/"msg":"the configuration was not replaced; the one before goes on"/)
  assert.equal(await get(), 'two')
  velum.kill('SIGTERM')
  const { code, out, err } = await velum.ended
  assert.deepEqual([code, out], [0, ''])
  assert.match(err, /"msg":"the gateway has stopped"/)
  await assert.rejects(get())
})

test('Ctrl-C, which npm passes on a second time, drains once and does not wait for load balancers', async (t) => {
  const folder = workFolder(t)
  let answer: ServerResponse | undefined
  const service = createHttpServer((_, res) => (answer = res)).listen(0, '127.0.0.1')
  t.after(() => service.close())
  await once(service, 'listening')
  const url = `http://127.0.0.1:${(service.address() as AddressInfo).port}`
  folder.write(
    'velum.config.yaml',
    hello(0).replace("respond: { status: 200, body: 'hello' }", 'to: slow') + `services: { slow: { url: '${url}' } }\n`,
  )
  const velum = startVelum(t, ['run', '--workers', '1', '--shutdown-delay', '1h'], { folder: folder.path })
  const { web } = await readyListeners(velum)
  const answered = fetch(web).then((response) => response.text())
  await once(service, 'request')
  velum.kill('SIGINT')
  await velum.printed(/"msg":"the gateway stops"/)
  velum.kill('SIGINT')
  answer!.end('answered all the same')
  assert.equal(await answered, 'answered all the same')
  assert.equal((await velum.ended).code, 0)
})
