// The published package, as it comes out of `npm pack`: installed into an empty folder and used there. Nothing is fetched:
// what it depends on is linked from the checkout, and only what its package.json names, so that an import of anything else fails.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { readyListeners, runVelum, startVelum, workFolder } from '../support/velum-process.ts'
import type { StartOptions } from '../support/velum-process.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const run = promisify(execFile)

interface Manifest {
  readonly dependencies: Record<string, string>
  readonly exports: Record<string, { readonly types: string; readonly default: string }>
}

describe('the published package', () => {
  let app = ''
  let installed = ''
  const inApp = (): StartOptions => ({ folder: app, launcher: join(installed, 'bin', 'velum.js') })

  const steps: (() => unknown)[] = []
  const cleanup = { after: (step: () => unknown) => void steps.push(step) }
  after(async () => {
    for (const step of steps) await step()
  })

  before(async () => {
    // Packing builds first, into a dist/ of its own: other tests look into that of the checkout.
    const checkout = workFolder(cleanup).path
    const parts = ['bin', 'schema', 'src', 'scripts', 'dashboard', 'demo', 'runtime', 'docs', '.npmrc', 'package.json']
    for (const name of [...parts, 'README.md', 'LICENSE', 'CHANGELOG.md', 'tsconfig.json', 'tsconfig.build.json'])
      cpSync(join(root, name), join(checkout, name), { recursive: true })
    symlinkSync(join(root, 'node_modules'), join(checkout, 'node_modules'))
    mkdirSync(join(checkout, 'dist'))
    writeFileSync(join(checkout, 'dist', 'left-over.js'), '')
    await run('npm', ['pack', '--silent'], { cwd: checkout })
    const tarball = readdirSync(checkout).find((name) => name.endsWith('.tgz'))!

    app = workFolder(cleanup).path
    await run('tar', ['-xzf', join(checkout, tarball), '-C', app])
    installed = join(app, 'node_modules', 'velum')
    mkdirSync(dirname(installed))
    renameSync(join(app, 'package'), installed)
    const { dependencies } = manifest()
    for (const name of [...Object.keys(dependencies), '@types/node']) {
      mkdirSync(dirname(join(app, 'node_modules', name)), { recursive: true })
      symlinkSync(join(root, 'node_modules', name), join(app, 'node_modules', name))
    }
    mkdirSync(join(app, 'node_modules', '.bin'))
    chmodSync(join(installed, 'bin', 'velum.js'), 0o755)
    symlinkSync(join(installed, 'bin', 'velum.js'), join(app, 'node_modules', '.bin', 'velum'))
    // As `npm init` writes it.
    writeFileSync(join(app, 'package.json'), '{ "name": "app", "type": "commonjs" }')
  })

  function manifest(): Manifest {
    return JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as Manifest
  }

  it('holds what runs, its types and its schema, and nothing else', () => {
    const files = readdirSync(installed, { recursive: true, encoding: 'utf8' }).filter((name) =>
      statSync(join(installed, name)).isFile(),
    )
    const odd = files.filter(
      (name) => !/^(?:bin\/velum\.js|dist\/.+|schema\/velum\.schema\.json|[A-Z]+(?:\.md)?|package\.json)$/.test(name),
    )
    assert.deepEqual(odd, [])
    assert.deepEqual(
      files.filter((name) => /\.test\.|left-over|(?<!\.d)\.ts$/.test(name)),
      [],
    )
    for (const { types, default: module } of Object.values(manifest().exports))
      for (const file of [types, module]) assert.ok(files.includes(file.slice(2)), file)
    const dashboard = files.filter((name) => name.startsWith('dist/dashboard/'))
    assert.ok(dashboard.includes('dist/dashboard/index.html'), 'the dashboard is built in')
  })

  it('init, check, test and run work where it is installed', async (t) => {
    const { stdout } = await run('npx', ['--no-install', 'velum', 'init'], { cwd: app })
    assert.match(stdout, /^wrote velum\.config\.ts/)
    const check = await runVelum(t, ['check', '--strict'], inApp())
    assert.equal(check.code, 0, check.out + check.err)
    const tested = await runVelum(t, ['test'], inApp())
    assert.equal(tested.code, 0, tested.out + tested.err)
    assert.match(tested.out, /pass 2\n/)
    assert.doesNotMatch(tested.out + tested.err, /warning/i)
    const help = await runVelum(t, ['help'], inApp())
    assert.doesNotMatch(help.out, /^ {2}demo /m)

    const config = join(app, 'velum.config.ts')
    // Two tests may run at once: any free ports.
    writeFileSync(
      config,
      readFileSync(config, 'utf8').replace('port: 8080', "port: 0, host: '127.0.0.1'").replace('port: 9900', 'port: 0'),
    )
    const velum = startVelum(t, ['run', '--workers', '2'], inApp())
    const { web } = await readyListeners(velum)
    const answer = await fetch(web)
    assert.equal(answer.status, 200)
    assert.equal(await answer.text(), 'Velum is running.\n')
    const { admin } = velum.log().find(({ msg }) => msg === 'the gateway is ready') as { admin: string }
    assert.match(await (await fetch(admin)).text(), /<!doctype html>/i)
    velum.kill('SIGTERM')
    assert.equal((await velum.ended).code, 0)
  })

  it('loads policies of one’s own, which import it by its name', async (t) => {
    const folder = join(app, 'custom')
    cpSync(join(root, 'examples', 'custom-policy'), folder, { recursive: true })
    const check = await runVelum(t, ['check'], { ...inApp(), folder })
    assert.equal(check.code, 0, check.out + check.err)
    const tested = await runVelum(t, ['test'], { ...inApp(), folder })
    assert.equal(tested.code, 0, tested.out + tested.err)
    assert.match(tested.out, /pass [1-9]/)
  })

  it('its threads, its store and its compiler of .proto files work', async (t) => {
    cpSync(join(root, 'demo', 'protos'), join(app, 'protos'), { recursive: true })
    writeFileSync(
      join(app, 'whole.yaml'),
      `
listeners: { web: { port: 0, host: 127.0.0.1, tls: { dev: true } } }
log: { format: none }
store: { kind: embedded, path: whole }
services: { billing: { url: 'grpc://127.0.0.1:1', protos: [protos/billing.proto] } }
identity: { issuer: https://localhost:8443 }
routes:
  - { name: billing, match: { path: /v1/** }, auth: { any: [session] }, to: billing, bridge: [rest] }
`,
    )
    // A password is hashed in a thread of its own and kept by another.
    const added = await runVelum(t, ['user', 'add', 'ada', '--password-stdin', '--config', 'whole.yaml'], {
      ...inApp(),
      input: 'correct horse battery staple\n',
    })
    assert.equal(added.code, 0, added.err)
    const bridged = await runVelum(t, ['bridge', 'list', '--config', 'whole.yaml'], inApp())
    assert.equal(bridged.code, 0, bridged.err)
    assert.match(bridged.out, /GET +\/v1\/invoices/)
    const velum = startVelum(t, ['run', '--config', 'whole.yaml'], inApp())
    const { web } = await readyListeners(velum)
    assert.match(web, /^https:/)
    velum.kill('SIGTERM')
    assert.equal((await velum.ended).code, 0)
  })

  it('its types are those of the doors: names are checked where a configuration uses them', async () => {
    writeFileSync(
      join(app, 'use.ts'),
      `
import { defineGateway } from 'velum'
import type { RouteInput } from 'velum'
import { createTestGateway } from 'velum/testing'
import { createVelumClient } from 'velum/browser'

export const route: RouteInput<'orders', never> = { name: 'orders', match: { path: '/' }, auth: 'public', to: 'orders' }
const services = { orders: { url: 'http://127.0.0.1:7002' } }
export const right = defineGateway({ listeners: { web: { port: 1 } }, services, routes: [route] })
export const wrong = defineGateway({
  listeners: { web: { port: 1 } },
  services: { orders: { url: 'http://127.0.0.1:7002' } },
  // @ts-expect-error -- there is no such service
  routes: [{ name: 'orders', match: { path: '/' }, auth: 'public', to: 'oders' }],
})
export async function status(): Promise<number> {
  await using gateway = await createTestGateway(right)
  return (await gateway.request('GET', '/')).status
}
export const login = (): Promise<string | undefined> => createVelumClient().accessToken()
`,
    )
    const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
    // Without skipLibCheck: the package's own declarations are read whole.
    const flags = '--noEmit --strict --target es2024 --lib es2024,dom,esnext.disposable --module nodenext --types node use.ts'
    const { stdout } = await run(process.execPath, [tsc, ...flags.split(' ')], { cwd: app }).catch(
      (thrown: { stdout: string }) => thrown,
    )
    assert.equal(stdout, '')
  })
})
