// The guide is true: its configurations pass the check, its commands and options exist, what its tables name is in the schema.
import assert from 'node:assert/strict'
import { cpSync, globSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { commands } from '../src/cli/commands.ts'
import { loadGateway } from '../src/config/load.ts'
import type { JsonSchema } from '../scripts/configuration-reference.ts'
import { createTestAuthority } from './support/authority.ts'
import { createTestGateway } from '../src/testing.ts'
import { workFolder } from './support/velum-process.ts'
import type { WorkFolder } from './support/velum-process.ts'

const root = fileURLToPath(new URL('../', import.meta.url))
const pages = globSync('docs/guide/*.md', { cwd: root }).sort()
const read = (path: string): string => readFileSync(join(root, path), 'utf8')
const schema = JSON.parse(read('schema/velum.schema.json')) as JsonSchema

function blocks(page: string, language: string): string[] {
  return [...read(page).matchAll(/^```(\w*)(?: no-run="[^"]*")?\n([\s\S]*?)^```$/gm)]
    .filter((found) => found[1] === language)
    .map((found) => found[2])
}

const env = { VELUM_SECRET: 'a secret that is long enough for this', CORP_SECRET: 'a secret of the provider' }

/** Puts the files there that configurations of the guide name. */
async function furnish(folder: WorkFolder): Promise<void> {
  cpSync(join(root, 'demo', 'protos'), join(folder.path, 'protos'), { recursive: true })
  cpSync(join(root, 'examples', 'custom-policy', 'policies'), join(folder.path, 'policies'), { recursive: true })
  const { cert, key } = await (await createTestAuthority('guide')).issue('api.example.com')
  folder.write('api.pem', cert)
  folder.write('api.key', key)
}

/** Every path into a configuration that the schema knows, such as `routes[].auth.any`. */
function* pathsOf(value: JsonSchema, path: string): Generator<string> {
  yield path
  for (const variant of [...(value.anyOf ?? []), ...(value.oneOf ?? [])]) yield* pathsOf(variant, path)
  for (const [key, inner] of Object.entries(value.properties ?? {})) yield* pathsOf(inner, path === '' ? key : `${path}.${key}`)
  if (typeof value.additionalProperties === 'object') yield* pathsOf(value.additionalProperties, `${path}.*`)
  if (value.items !== undefined) yield* pathsOf(value.items, `${path}[]`)
}

describe('the guide', () => {
  it('has the pages that it lists', () => {
    const listed = [...read('docs/guide/README.md').matchAll(/\]\(([\w-]+\.md)\)/g)].map((found) => `docs/guide/${found[1]}`)
    assert.deepEqual(
      listed.sort(),
      pages.filter((page) => !page.endsWith('README.md')),
    )
  })

  for (const page of pages) {
    const configs = blocks(page, 'yaml')
    if (configs.length === 0) continue
    it(`${page}: its configurations are without fault`, async (t) => {
      const folder = workFolder(t)
      await furnish(folder)
      for (const config of configs) {
        const file = join(folder.path, 'velum.config.yaml')
        writeFileSync(file, config)
        const { findings, model } = await loadGateway(file, { env })
        assert.deepEqual(
          findings.map(({ path, message }) => ({ path, message })),
          [],
        )
        assert.ok(model !== undefined && model.routes.length > 0)
      }
    })
  }

  it('what came from nginx does the same: paths, headers, and twenty-one at once', async (t) => {
    const folder = workFolder(t)
    await furnish(folder)
    const [config] = blocks('docs/guide/migrate-from-nginx.md', 'yaml')
    await using gateway = await createTestGateway(folder.write('velum.config.yaml', config), { env })
    const url = 'https://api.example.com/orders/7?full=1'
    for (let i = 0; i < 21; i++) assert.equal((await gateway.request('GET', url)).status, 200)
    assert.equal((await gateway.request('GET', url)).status, 429)
    const [call] = gateway.calls('orders')
    assert.equal(call.target, '/v2/orders/7?full=1')
    assert.equal(call.headers.get('x-source'), 'edge')
    assert.equal(call.headers.get('host'), 'api.example.com')
    assert.equal((await gateway.request('GET', 'https://api.example.com/healthz')).text(), 'ok')
    await gateway.advance('100ms')
    const large = { body: 'x'.repeat(1024 ** 2 + 1) }
    assert.equal((await gateway.request('POST', 'https://api.example.com/orders/', large)).status, 413)
  })

  it('what came from Kong does the same: the path is stripped, keys are asked for, a hundred a minute', async (t) => {
    const folder = workFolder(t)
    await furnish(folder)
    const [config] = blocks('docs/guide/migrate-from-kong.md', 'yaml')
    await using gateway = await createTestGateway(folder.write('velum.config.yaml', config), { env })
    const url = 'https://api.example.com/shop/orders/7'
    assert.equal((await gateway.request('GET', url)).status, 401)
    const as = { subject: 'partner', client: 'partner' }
    for (let i = 0; i < 100; i++) assert.equal((await gateway.request('GET', url, { as })).status, 200)
    assert.equal((await gateway.request('GET', url, { as })).status, 429)
    assert.equal(gateway.calls('orders')[0].target, '/7')
    assert.equal((await gateway.request('DELETE', url, { as })).status, 405)
  })

  it('its commands and their options exist', async () => {
    let count = 0
    for (const page of pages) {
      const lines = [
        ...blocks(page, 'sh').flatMap((block) => block.split('\n')),
        ...read(page).matchAll(/`(velum [a-z][^`]*)`/g),
      ].map((line) => (typeof line === 'string' ? line : line[1]))
      for (const line of lines) {
        const [, name, rest] = /^(?:npx )?velum ([a-z]+)(.*)$/.exec(line) ?? []
        if (name === undefined) continue
        count++
        const entry = commands.find((command) => command.name === name)
        assert.ok(entry !== undefined, `${page}: velum ${name}`)
        const { options, usage } = await entry.load()
        for (const [, option] of rest.matchAll(/ --([\w-]+)/g)) assert.ok(option in options, `${page}: velum ${name} --${option}`)
        // The kind of thing to do, where a command has several.
        const [, verb] = /^ ([a-z]+)(?= |$)/.exec(rest) ?? []
        if (verb !== undefined) assert.ok(usage.includes(verb), `${page}: velum ${name} ${verb}`)
      }
    }
    assert.ok(count > 20, `${count} commands`)
  })

  it('its tables lead to keys that exist', () => {
    const known = new Set(pathsOf(schema, ''))
    let count = 0
    for (const page of pages) {
      for (const [, path] of read(page).matchAll(/`([a-zA-Z]+(?:\[\]|\.\*)?(?:\.[a-zA-Z]+(?:\[\]|\.\*)?)+)`/g)) {
        if (path.endsWith('.md') || /^(?:velum|api|shop|google)\b/.test(path) || path === 'identity.pass') continue
        count++
        assert.ok(known.has(path), `${page}: ${path}`)
      }
    }
    assert.ok(count > 60, `${count} paths`)
  })
})
