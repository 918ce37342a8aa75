import assert from 'node:assert/strict'
import { cpSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'node:test'
import { runVelum, workFolder } from '../support/velum-process.ts'

const example = fileURLToPath(new URL('../../examples/policy-tests', import.meta.url))

test('velum test runs what velum init wrote, in a folder that knows nothing of Velum', async (t) => {
  const folder = workFolder(t).path
  const init = await runVelum(t, ['init'], { folder })
  assert.match(init.out, /wrote velum\.config\.ts.*\nwrote velum\.test\.ts/)
  assert.ok(existsSync(join(folder, 'velum.test.ts')))
  const { code, out, err } = await runVelum(t, ['test'], { folder })
  assert.equal(code, 0, out + err)
  assert.match(out, /pass 2\n/)
})

test('velum test tells tests that fail, and what there is not', async (t) => {
  const folder = workFolder(t)
  const none = await runVelum(t, ['test'], { folder: folder.path })
  assert.equal(none.code, 1)
  assert.match(none.err, /no policy tests here/)
  cpSync(example, folder.path, { recursive: true })
  const config = join(folder.path, 'velum.config.ts')
  folder.write(
    'loose.velum.test.ts',
    `
    import assert from 'node:assert/strict'
    import { test } from 'node:test'
    import { createTestGateway } from 'velum/testing'
    test('the catalog needs a token', async () => {
      await using gateway = await createTestGateway(${JSON.stringify(config)})
      assert.equal((await gateway.request('GET', '/catalog')).status, 401)
    })
  `,
  )
  const failed = await runVelum(t, ['test', 'loose.velum.test.ts'], { folder: folder.path })
  assert.equal(failed.code, 1, failed.out)
  assert.match(failed.out, /200 !== 401/)
  assert.equal((await runVelum(t, ['test', 'velum.test.ts', '--only', 'catalog'], { folder: folder.path })).code, 0)
  assert.equal((await runVelum(t, ['test', 'missing.ts'], { folder: folder.path })).code, 1)
})
