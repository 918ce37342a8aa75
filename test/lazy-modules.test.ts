import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { promisify } from 'node:util'

const run = promisify(execFile)
const large = ['ajv', 'graphql', 'graphql-ws', 'ws', 'openid-client', '@simplewebauthn/server', 'redis', 'acme-client', 'undici']

/** The packages that a fresh process reads when it imports this and then runs `then` with what that exports. */
async function packagesOf(module: string, then = ''): Promise<string[]> {
  const program = `
    import { registerHooks } from 'node:module'
    const packages = new Set()
    registerHooks({
      load(url, context, nextLoad) {
        const found = /\\/node_modules\\/((?:@[^/]+\\/)?[^/]+)\\/(?!.*\\/node_modules\\/)/.exec(url)
        if (found !== null) packages.add(found[1])
        return nextLoad(url, context)
      },
    })
    const loaded = await import(${JSON.stringify(import.meta.resolve(module))})
    ${then}
    console.log(JSON.stringify([...packages]))
    process.exit(0)`
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', program])
  return JSON.parse(stdout) as string[]
}

test('what a plain configuration does without is not loaded by main, the workers or a check', async () => {
  const parts = ['../src/gateway/node.ts', '../src/gateway/compile.ts', '../src/gateway/worker.ts', '../src/config/load.ts']
  const found = await Promise.all(parts.map((part) => packagesOf(part)))
  for (const [i, packages] of found.entries()) {
    assert.ok(packages.includes('ipaddr.js'), `${parts[i]} is watched`)
    const needless = large.filter((name) => packages.includes(name))
    assert.deepEqual(needless, [], parts[i])
  }
})

test('it is loaded where it is asked for', async () => {
  const bridge = `loaded.createBridge({ kind: 'websocket', json: {} }, { service: 's', descriptors: { current: undefined }, clock: {}, meter: { gauge() {}, counter() {}, histogram() {} } })`
  assert.ok((await packagesOf('../src/bridges/create-bridge.ts', bridge)).includes('ws'))
})
