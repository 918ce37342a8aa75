import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { suite, test } from 'node:test'
import type { TestContext } from 'node:test'
import { builtInProtos } from './built-in-protos.ts'
import { builtInSet } from './built-in-set.ts'
import { compileFolder, compileProtos } from './compile-protos.ts'
import { DescriptorError, readDescriptors } from './descriptors.ts'
import { incompatibleChanges } from './incompatible-changes.ts'

function folderOf(t: TestContext, files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'velum-protos-test-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), text)
  }
  return folder
}

const service = (body: string, imports = ''): string => `syntax = "proto3";
package a.v1;
${imports}
message M { string name = 1; }
service S { ${body} }
`

suite('descriptors', () => {
  test('the set that is built in is that of the texts', async () => {
    const { set } = await compileFolder(builtInProtos, { withImports: false })
    assert.equal(Buffer.from(set!).toString('base64'), builtInSet)
  })

  test('imports are found in the folders above, comments and strings are told from them', async (t) => {
    const root = folderOf(t, {
      'protos/a/v1/a.proto': service(
        'rpc Get(M) returns (b.v1.N) { option (google.api.http) = { get: "/v1/{name=x/*}" }; }',
        '// import "nowhere.proto";\n/* import "nowhere.proto"; */\nimport "google/api/annotations.proto"; import \'google/api/httpbody.proto\';\nimport public "b/v1/b.proto";',
      ),
      'protos/b/v1/b.proto':
        'syntax = "proto3";\npackage b.v1;\nimport "google/protobuf/timestamp.proto";\nmessage N { google.protobuf.Timestamp at = 1; }\n',
    })
    const { set, faults, files } = await compileProtos([join(root, 'protos/a/v1/a.proto')], root)
    assert.deepEqual(faults, [])
    assert.deepEqual(
      files.map((file) => file.slice(root.length)),
      ['/protos/a/v1/a.proto', '/protos/b/v1/b.proto'],
    )
    const { methods, registry } = readDescriptors(set!)
    const method = methods.get('/a.v1.S/Get')!
    assert.deepEqual(method.rules, [{ method: 'GET', path: '/v1/{name=x/*}', body: '', responseBody: '' }])
    assert.equal(method.output.typeName, 'b.v1.N')
    assert.ok(registry.getMessage('google.rpc.RetryInfo') !== undefined)
  })

  test('what is wrong is said with file and line', async (t) => {
    const root = folderOf(t, {
      'x.proto': 'syntax = "proto3";\nmessage A {\n  Nope b = 1;\n}\n',
      'y.proto': 'syntax = "proto3";\n\nimport "z/z.proto";\n',
      'up.proto': 'syntax = "proto3";\nimport "../up.proto";\n',
    })
    const wrong = async (name: string): Promise<unknown> => {
      const { set, faults } = await compileProtos([join(root, name)], root)
      assert.equal(set, undefined)
      return faults.map(({ file, line }) => [file.slice(root.length + 1), line])
    }
    assert.deepEqual(await wrong('x.proto'), [['x.proto', 3]])
    assert.deepEqual(await wrong('y.proto'), [['y.proto', 3]])
    assert.deepEqual(await wrong('up.proto'), [['up.proto', 2]])
    assert.deepEqual(await wrong('none.proto'), [['none.proto', undefined]])
  })

  test('rules of the configuration replace those of a method', async (t) => {
    const root = folderOf(t, { 'a.proto': service('rpc Get(M) returns (M);') })
    const { set } = await compileProtos([join(root, 'a.proto')], root)
    const rule = { selector: 'a.v1.S.Get', method: 'GET', path: '/x', body: '', responseBody: '' }
    assert.deepEqual(readDescriptors(set!, [rule]).methods.get('/a.v1.S/Get')!.rules, [rule])
    assert.throws(() => readDescriptors(set!, [{ ...rule, selector: 'a.v1.S.Nope' }]), DescriptorError)
  })

  test('sets that cannot be used are refused with the reason', async (t) => {
    assert.throws(() => readDescriptors(Buffer.from('nonsense')), DescriptorError)
    assert.throws(() => readDescriptors(new Uint8Array()), /empty/)
    const root = folderOf(t, {
      'a.proto': service('rpc Get(M) returns (M);', 'import "b.proto";'),
      'b.proto': 'syntax = "proto3";\n',
    })
    const { set } = await compileProtos([join(root, 'a.proto')], root)
    const whole = fromBinary(FileDescriptorSetSchema, set!)
    const file = whole.file.filter(({ name }) => name !== 'b.proto')
    const partial = toBinary(FileDescriptorSetSchema, create(FileDescriptorSetSchema, { file }))
    assert.throws(() => readDescriptors(partial), /"b\.proto" is missing, which "a\.proto" imports/)
    const reversed = toBinary(FileDescriptorSetSchema, create(FileDescriptorSetSchema, { file: whole.file.toReversed() }))
    assert.equal(readDescriptors(reversed).methods.size, 1)
  })

  test('changes that callers would notice are told', async (t) => {
    const read = async (text: string): Promise<ReturnType<typeof readDescriptors>> => {
      const root = folderOf(t, { 'a.proto': text })
      return readDescriptors((await compileProtos([join(root, 'a.proto')], root)).set!)
    }
    const before = await read(
      service(
        'rpc A(M) returns (M); rpc B(M) returns (M); rpc C(M) returns (M);',
        'message N { int32 a = 1; int32 b = 2; int32 c = 3; }',
      ),
    )
    const after = await read(
      service(
        'rpc A(M) returns (stream M); rpc C(N) returns (M); rpc D(M) returns (M);',
        'message N { string a = 1; int32 bb = 2; int32 d = 4; }',
      ),
    )
    assert.deepEqual(incompatibleChanges(before, before), [])
    assert.deepEqual(incompatibleChanges(before, after), [
      'a.v1.S/A streams in another way',
      'the method a.v1.S/B is gone',
      'a.v1.S/C takes another message, a.v1.N',
      'the field a.v1.N.a has another type',
      'the field a.v1.N.b is called bb now',
      'the field a.v1.N.c is gone',
    ])
  })
})
