import assert from 'node:assert/strict'
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { ManualClock } from '../core/manual-clock.ts'
import { createBackgroundLoader } from './background-loader.ts'
import { loadGateway } from './load.ts'
import { atOnce } from '../core/in-slices.ts'
import { packing, unpacking } from './packed-model.ts'

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'velum-background-')))
after(() => rmSync(folder, { recursive: true, force: true }))

const configuration = (path: string): string =>
  JSON.stringify({
    listeners: { plain: { port: 8080 } },
    routes: Array.from({ length: 70 }, (_, i) => {
      return {
        name: `r${i}`,
        match: { path: `/${path}/${i}` },
        respond: { status: 200 },
        auth: 'public',
        body: { max: 'unlimited' },
      }
    }),
  })

test('loads as in its own thread, and sees each time what the files say then', async () => {
  const file = join(folder, 'again.json')
  const loader = createBackgroundLoader({ file, print: () => {}, env: {}, clock: new ManualClock() })
  try {
    for (const path of ['a', 'b']) {
      writeFileSync(file, configuration(path))
      const loaded = await loader.load()
      assert.equal(loaded.model?.routes.length, 70)
      assert.deepEqual(loaded, await loadGateway(file, { env: {} }))
    }
    writeFileSync(file, '{"listeners": 1}')
    const { model, findings } = await loader.load()
    assert.equal(model, undefined)
    assert.deepEqual(findings, (await loadGateway(file, { env: {} })).findings)
  } finally {
    loader.close()
  }
})

test('what a module prints comes here, it sees the environment that it is given, and its thread starts anew when it was idle', async () => {
  const file = join(folder, 'prints.config.mjs')
  writeFileSync(
    file,
    `console.log('hello', process.env.WHO)
export default { listeners: { plain: { port: 8080 } }, routes: [{ name: 'a', match: { path: '/a' }, respond: { status: 200 }, auth: 'public' }] }`,
  )
  const clock = new ManualClock()
  const printed: string[] = []
  const loader = createBackgroundLoader({ file, print: (text) => void printed.push(text), env: { WHO: 'you' }, clock, keepMs: 10 })
  try {
    const [first, second] = await Promise.all([loader.load(), loader.load()])
    clock.advance(10)
    const third = await loader.load()
    assert.deepEqual([first.model?.hash, second.model?.hash], [third.model?.hash, third.model?.hash])
    assert.equal(printed.join(''), 'hello you\n'.repeat(3))
  } finally {
    loader.close()
  }
  await assert.rejects(loader.load(), /closed/)
})

test('a packed model is the same again, numbers that JSON lacks too', async () => {
  const file = join(folder, 'packed.json')
  writeFileSync(file, configuration('p'))
  const { model } = await loadGateway(file)
  const packed = atOnce(packing(model!))
  assert.equal(packed.routes.length, 3)
  assert.deepEqual(atOnce(unpacking(packed)), model)
  assert.equal(atOnce(unpacking(packed)).routes[69].maxBodyBytes, Infinity)
})
