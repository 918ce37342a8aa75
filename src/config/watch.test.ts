import assert from 'node:assert/strict'
import { existsSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { TestContext } from 'node:test'
import { workFolder } from '../../test/support/velum-process.ts'
import { ManualClock } from '../core/manual-clock.ts'
import { ConfigWatch } from './watch.ts'

interface Scene {
  readonly folder: string
  readonly clock: ManualClock
  readonly reloads: () => number
  /** Lets it look, and look again, and a reload come to its end. */
  readonly pass: (ms?: number) => Promise<void>
}

async function scene(
  t: TestContext,
  names: readonly string[],
  next: (folder: string) => readonly string[] = () => names,
): Promise<Scene> {
  const { path } = workFolder(t)
  for (const name of names) writeFileSync(join(path, name), 'one')
  const clock = new ManualClock()
  let reloads = 0
  const files = (list: readonly string[]): string[] => list.map((name) => join(path, name))
  const watch = await ConfigWatch.open({
    clock,
    files: files(names),
    changed: async () => {
      reloads++
      return files(next(path))
    },
  })
  t.after(() => watch.close())
  const pass = async (ms = 2000): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 50) {
      clock.advance(50)
      await watch.looked
    }
  }
  return { folder: path, clock, reloads: () => reloads, pass }
}

describe('a watched configuration', () => {
  test('is loaded again once a change has come to rest, and only then', async (t) => {
    const { folder, reloads, pass } = await scene(t, ['a.yaml'])
    await pass()
    assert.equal(reloads(), 0)
    for (let i = 0; i < 30; i++) {
      writeFileSync(join(folder, 'a.yaml'), 'x'.repeat(i))
      await pass(50)
    }
    assert.equal(reloads(), 0, 'it is still being written')
    await pass()
    assert.equal(reloads(), 1)
    await pass(10_000)
    assert.equal(reloads(), 1)
  })

  test('is seen when it is replaced, goes and comes back', async (t) => {
    const { folder, reloads, pass } = await scene(t, ['a.yaml', 'b.yaml'])
    writeFileSync(join(folder, 'new'), 'two')
    renameSync(join(folder, 'new'), join(folder, 'b.yaml'))
    await pass()
    assert.equal(reloads(), 1)
    rmSync(join(folder, 'a.yaml'))
    await pass()
    assert.equal(reloads(), 2)
    writeFileSync(join(folder, 'a.yaml'), 'three')
    await pass()
    assert.equal(reloads(), 3)
  })

  test('is seen behind a link that is switched, as orchestrators do', async (t) => {
    const { folder, reloads, pass } = await scene(t, ['a.yaml'])
    for (const version of ['v1', 'v2']) {
      mkdirSync(join(folder, version))
      writeFileSync(join(folder, version, 'a.yaml'), version)
    }
    rmSync(join(folder, 'a.yaml'))
    symlinkSync(join(folder, 'v1'), join(folder, '..data'))
    symlinkSync(join('..data', 'a.yaml'), join(folder, 'a.yaml'))
    await pass()
    assert.equal(reloads(), 1)
    symlinkSync(join(folder, 'v2'), join(folder, '..next'))
    renameSync(join(folder, '..next'), join(folder, '..data'))
    await pass()
    assert.equal(reloads(), 2)
  })

  test('brings the files that it names, which are watched from then on', async (t) => {
    const { folder, reloads, pass } = await scene(t, ['a.yaml'], (path) => {
      if (!existsSync(join(path, 'key.pem'))) writeFileSync(join(path, 'key.pem'), 'k')
      return ['a.yaml', 'key.pem']
    })
    writeFileSync(join(folder, 'a.yaml'), 'two')
    await pass()
    assert.equal(reloads(), 1)
    writeFileSync(join(folder, 'key.pem'), 'another key')
    await pass()
    assert.equal(reloads(), 2)
  })

  test('loses no change that comes while it is loaded', async (t) => {
    let isFirst = true
    const { folder, reloads, pass } = await scene(t, ['a.yaml'], (path) => {
      if (isFirst) writeFileSync(join(path, 'a.yaml'), 'written meanwhile')
      isFirst = false
      return ['a.yaml', 'b.yaml']
    })
    writeFileSync(join(folder, 'a.yaml'), 'two')
    await pass()
    assert.equal(reloads(), 2)
  })
})
