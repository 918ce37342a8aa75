import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { glob } from 'node:fs/promises'
import { sep } from 'node:path'
import { before, describe, it } from 'node:test'
import { z } from 'zod'
import { policyKinds } from '../src/policies/list.ts'
import {
  fileBreaches,
  importBreaches,
  layers,
  policyBreaches,
  undocumentedExports,
  unexplainedDependencies,
} from './support/architecture-rules.ts'
import type { SourceTree } from './support/architecture-rules.ts'

const root = new URL('../', import.meta.url)
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8')
const tree = new Map<string, string>()

before(async () => {
  const files = glob('{src,test,bench,demo,scripts,examples}/**/*.ts', { cwd: root, exclude: ['**/node_modules/**'] })
  for await (const file of files) tree.set(file.split(sep).join('/'), read(file.split(sep).join('/')))
})

describe('the architecture of this source tree', () => {
  it('has every folder in the table of layers', () => {
    const folders = new Set([...tree.keys()].filter((path) => /^src\/.+\//.test(path)).map((path) => path.split('/')[1]))
    assert.deepEqual(
      [...folders].filter((folder) => !layers.has(folder)),
      [],
    )
    assert.ok(folders.size >= 10, 'the tree was read')
  })
  it('imports point down, and outside packages stay behind their fences', () => assert.deepEqual(importBreaches(tree), []))
  it('files have honest names, one idea, and no default export', () => assert.deepEqual(fileBreaches(tree), []))
  it('every policy is listed once, documented and tested', () => assert.deepEqual(policyBreaches(tree), []))
  it('every public export says what it promises', () => assert.deepEqual(undocumentedExports(tree), []))
  it('every dependency has a place and a reason', () => {
    const manifest = JSON.parse(read('package.json')) as { dependencies: object; devDependencies: object }
    assert.deepEqual(unexplainedDependencies(manifest, read('docs/decisions/dependencies.md')), [])
  })
  it('every option of every policy is described', () => {
    const missing = policyKinds.flatMap((kind) => {
      const schema = z.toJSONSchema(kind.options, { io: 'input', unrepresentable: 'any' })
      return undescribedOptions(schema as OptionSchema, kind.name)
    })
    assert.deepEqual(missing, [])
    for (const kind of policyKinds) assert.match(kind.doc, /^[A-Z].*\.$/s, `the doc of ${kind.name} is made of sentences`)
  })
})

interface OptionSchema {
  readonly description?: string
  readonly $ref?: string
  readonly properties?: Readonly<Record<string, OptionSchema>>
  readonly anyOf?: readonly OptionSchema[]
  readonly items?: OptionSchema
}

/** Paths of options without a description, at every depth. */
function undescribedOptions(schema: OptionSchema, path: string): string[] {
  const missing: string[] = []
  for (const [name, option] of Object.entries(schema.properties ?? {})) {
    const place = `${path}.${name}`
    if (option.description === undefined && option.$ref === undefined) missing.push(place)
    missing.push(...undescribedOptions(option, place))
  }
  for (const branch of [...(schema.anyOf ?? []), ...(schema.items === undefined ? [] : [schema.items])]) {
    missing.push(...undescribedOptions(branch, path))
  }
  return missing
}

/** A tree of one file, or of several. */
function planted(files: Readonly<Record<string, string>>): SourceTree {
  return new Map(Object.entries(files))
}

function imports(path: string, text: string): string[] {
  return importBreaches(planted({ [path]: text }))
}

function breach(path: string, text = ''): string {
  return fileBreaches(planted({ [path]: text })).join('; ')
}

/** The text of a file that declares a policy. */
function policyText(name: string): string {
  return `export const ${name}: PolicyKind<O, I> = {\n  name: '${name}',\n  doc: 'Does.',\n}\n`
}

describe('the checker of the architecture', () => {
  const violations: readonly (readonly [title: string, path: string, text: string, message: RegExp])[] = [
    ['an import upwards', 'src/core/a.ts', "import { x } from '../config/model.ts'", /core may not import config/],
    ['a type-only import upwards', 'src/lib/a.ts', "import type { X } from '../core/clock.ts'", /lib may not import core/],
    ['an inline type import', 'src/lib/a.ts', "const a: import('../core/clock.ts').Clock = b", /lib may not import core/],
    ['an import of a sibling', 'src/limits/a.ts', "import { x } from '../stores/b.ts'", /limits may not import stores/],
    ['a policy that imports a bridge', 'src/policies/a.ts', "import '../bridges/b.ts'", /policies may not import bridges/],
    ['a service that imports routing', 'src/services/a.ts', "export * from '../routing/b.ts'", /services may not import routing/],
    ['a re-export', 'src/core/a.ts', "export { type X } from '../gateway/b.ts'", /core may not import gateway/],
    ['an import over several lines', 'src/core/a.ts', "import {\n  a,\n  b,\n} from '../gateway/b.ts'", /a\.ts:1: core may not/],
    ['a dynamic import', 'src/core/a.ts', "const b = await import('../gateway/b.ts')", /core may not import gateway/],
    ['a template as an import', 'src/core/a.ts', 'await import(`../gateway/b.ts`)', /core may not import gateway/],
    [
      'a worker file of another layer',
      'src/core/a.ts',
      "new Worker(new URL('../gateway/b.ts', import.meta.url))",
      /core may not import gateway/,
    ],
    ['a computed import', 'src/core/a.ts', 'await import(name)', /run time/],
    ['a require', 'src/core/a.ts', "const a = require('jose')", /jose may only be imported in src\/identity\//],
    ['an import of a public door', 'src/gateway/a.ts', "import { x } from '../index.ts'", /may not import a public door/],
    ['an import of a test', 'src/core/a.ts', "import { x } from './b.test.ts'", /is a test/],
    ['an import from outside of src', 'src/core/a.ts', "import { x } from '../../test/support/x.ts'", /outside of src/],
    ['the demo outside of the command line', 'src/gateway/a.ts', "import { x } from '../../demo/x.ts'", /outside of src/],
    ['a folder that nobody placed', 'src/extras/a.ts', "import { x } from '../core/b.ts'", /not in the table/],
    ['jose outside of identity', 'src/policies/a.ts', "import { jwtVerify } from 'jose'", /jose may only be imported in/],
    ['a part of jose', 'src/policies/a.ts', "import { x } from 'jose/jwt/verify'", /jose may only be imported in/],
    ['redis outside of its store', 'src/stores/a.ts', "import { x } from 'redis'", /redis may only be imported in/],
    [
      'node:http2 outside of its wire',
      'src/wire/http1/a.ts',
      "import http2 from 'node:http2'",
      /node:http2 may only be imported in/,
    ],
    [
      'node:http on our wire',
      'src/wire/http1/a.ts',
      "import type { Server } from 'node:http'",
      /node:http may only be imported in/,
    ],
    ['undici in services', 'src/services/a.ts', "import { Pool } from 'undici'", /undici may only be imported in/],
    ['zod in core', 'src/core/a.ts', "import { z } from 'zod'", /zod may only be imported in/],
    ['yaml in the gateway', 'src/gateway/a.ts', "import { parse } from 'yaml'", /yaml may only be imported in/],
    ['pino in core', 'src/core/a.ts', "import { pino } from 'pino'", /pino may only be imported in/],
    [
      'x509 in the gateway',
      'src/gateway/a.ts',
      "import * as x509 from '@peculiar/x509'",
      /@peculiar\/x509 may only be imported in/,
    ],
    ['ipaddr.js in policies', 'src/policies/a.ts', "import ipaddr from 'ipaddr.js'", /ipaddr\.js may only be imported in/],
    ['a package without a fence', 'src/core/a.ts', "import x from 'left-pad'", /left-pad has no fence/],
    ['velum itself', 'src/config/a.ts', "import { defineGateway } from 'velum'", /velum has no fence/],
  ]
  for (const [title, path, text, message] of violations) {
    it(`finds ${title}`, () => {
      const breaches = imports(path, text)
      assert.equal(breaches.length, 1, breaches.join('\n'))
      assert.match(breaches[0], message)
    })
  }

  it('lets pass what the table allows', () => {
    const allowed: readonly (readonly [path: string, text: string])[] = [
      ['src/core/a.ts', "import { x } from '../lib/b.ts'\nimport { y } from './c.ts'\nimport { EventEmitter } from 'node:events'"],
      ['src/policies/a.ts', "import { x } from '../identity/b.ts'\nimport { y } from '../limits/c.ts'\nimport { z } from 'zod'"],
      ['src/services/a.ts', "import { x } from '../wire/http1/b.ts'"],
      ['src/gateway/a.ts', "import { x } from '../config/b.ts'\nimport { pino } from 'pino'"],
      ['src/cli/a.ts', "import { x } from '../admin/b.ts'\nconst d = await import('../../demo/start.ts')"],
      ['src/index.ts', "export { x } from './config/b.ts'"],
      ['src/config/evaluate-thread.ts', 'await import(file)'],
      ['src/core/a.test.ts', "import { x } from '../gateway/b.ts'\nimport { y } from 'jose'"],
      ['bench/a.ts', "import fastify from 'fastify'"],
    ]
    for (const [path, text] of allowed) assert.deepEqual(imports(path, text), [], path)
  })

  it('is not misled by comments, strings, templates and regular expressions', () => {
    const innocent = [
      "// import { x } from 'jose'",
      "/* import('jose') */",
      "/**\n * import { x } from 'jose'\n */",
      'const a = "import { x } from \'jose\'"',
      "const a = `\nimport { x } from 'jose'\n${b}\nexport default 1\n`",
      "const a = 'it\\'s'; const b = /import('jose')/",
      'const a = /[/"\']/; const b = 1 / 2',
    ]
    for (const text of innocent) {
      assert.deepEqual(imports('src/core/a.ts', text), [], text)
      assert.deepEqual(fileBreaches(planted({ 'src/core/a.ts': text })), [], text)
    }
    const guilty = [
      'const quote = /["\'`]/\nawait import(name)',
      'const a = `${await import(name)}`',
      "const url = 'http://x' // it's\nawait import(name)",
      'const a = `${{ b: `}` }.b}`\nawait import(name)',
    ]
    for (const text of guilty) assert.match(imports('src/core/a.ts', text).join(), /run time/, text)
  })

  it('finds bad files', () => {
    assert.match(breach('src/core/utils.ts'), /"utils" says nothing/)
    assert.match(breach('src/helpers/a.ts'), /"helpers" says nothing/)
    assert.match(breach('src/core/header-helper.ts'), /"helper" says nothing/)
    assert.match(breach('src/core/session-manager.ts'), /"manager" says nothing/)
    assert.match(breach('src/core/base.ts'), /"base" says nothing/)
    assert.match(breach('src/core/data.ts'), /"data" says nothing/)
    assert.equal(breach('src/lib/base64url.ts'), '')
    assert.match(breach('src/core/headerNames.ts'), /kebab-case/)
    assert.match(breach('src/core/header_names.ts'), /kebab-case/)
    assert.equal(breach('src/wire/http1/request-head.property.test.ts'), '')
    assert.match(breach('src/core/index.ts'), /called index/)
    assert.match(breach('src/core/a.ts', 'export default 1\n'), /a\.ts:1: a default export/)
    assert.match(breach('src/core/a.ts', 'const a = 1\nexport { a as default }\n'), /a\.ts:2: a default export/)
    assert.equal(breach('examples/velum.config.ts', 'export default 1\n'), '')
    assert.match(breach('src/core/a.ts', '\n'.repeat(401)), /401 lines/)
    assert.equal(breach('src/core/a.ts', '\n'.repeat(400)), '')
    assert.equal(breach('demo/gen/a_pb.ts', `// @generated by protoc\n${'\n'.repeat(800)}`), '')
  })

  it('finds policies that are not listed, documented, tested or used', () => {
    const whole = {
      'src/policies/list.ts': "import { a } from './a.ts'\n",
      'src/policies/a.ts': `import { part } from './part.ts'\n${policyText('a')}`,
      'src/policies/a.test.ts': '',
      'src/policies/part.ts': '',
      'src/config/x.ts': "import { policyKinds } from '../policies/list.ts'\n",
    }
    assert.deepEqual(policyBreaches(planted(whole)), [])
    assert.match(
      policyBreaches(planted({ ...whole, 'src/policies/list.ts': '' })).join(),
      /a\.ts: a policy that list\.ts does not list/,
    )
    const { 'src/policies/a.test.ts': _, ...untested } = whole
    assert.match(policyBreaches(planted(untested)).join(), /a\.ts: no test beside it/)
    const undocumented = policyText('a').replace(/ {2}doc.*\n/, '')
    assert.match(policyBreaches(planted({ ...whole, 'src/policies/a.ts': undocumented })).join(), /a\.ts: no doc/)
    assert.match(policyBreaches(planted({ ...whole, 'src/policies/idle.ts': '' })).join(), /idle\.ts: nothing uses it/)
  })

  it('finds public exports without a doc comment', () => {
    const declared = '/** Promises. */\nexport function a() {}\nexport interface B {}\n/** Says. */\nexport type C = 1\n'
    const door = planted({
      'src/index.ts':
        "export { a } from './config/x.ts'\nexport type { B, C } from './config/x.ts'\nexport { D } from './config/y.ts'\n",
      'src/config/x.ts': declared,
      'src/config/y.ts': "export { B as D } from './x.ts'\n",
    })
    assert.deepEqual(undocumentedExports(door), ['src/index.ts: B has no doc comment', 'src/index.ts: D has no doc comment'])
    const all = { 'src/index.ts': "export type * from './config/x.ts'\n", 'src/config/x.ts': declared }
    assert.deepEqual(undocumentedExports(planted(all)), ['src/index.ts: B has no doc comment'])
    assert.deepEqual(undocumentedExports(planted({ 'src/testing.ts': '/** Yes. */\nexport const a = 1\nexport const b = 2\n' })), [
      'src/testing.ts: b has no doc comment',
    ])
  })

  it('finds dependencies without a place or a reason', () => {
    const manifest = { dependencies: { jose: '1', 'left-pad': '1' }, devDependencies: { knip: '1' } }
    assert.deepEqual(unexplainedDependencies(manifest, '`jose` and `left-pad`'), [
      'left-pad has no fence',
      'knip has no line in docs/decisions/dependencies.md',
    ])
  })
})
