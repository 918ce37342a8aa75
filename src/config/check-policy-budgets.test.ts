import assert from 'node:assert/strict'
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import type { Clock } from '../core/clock.ts'
import { systemClock } from '../core/clock.ts'
import type { LoadOptions } from './load.ts'
import { loadGateway } from './load.ts'

/** What a check says of a gateway with these policies, by their names: their modules. */
async function said(t: TestContext, policies: Record<string, string>, options: LoadOptions = {}): Promise<string[]> {
  const folder = mkdtempSync(join(realpathSync(tmpdir()), 'velum-budgets-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const names = Object.keys(policies)
  for (const name of names) writeFileSync(join(folder, `${name}.ts`), policies[name])
  const config = {
    listeners: { plain: { port: 8080 } },
    policies: Object.fromEntries(names.map((name) => [name, `${name}.ts`])),
    routes: [{ name: 'a', match: { path: '/a' }, respond: { status: 204 }, auth: 'public', policies: names }],
  }
  writeFileSync(join(folder, 'velum.config.json'), JSON.stringify(config))
  const { findings, model } = await loadGateway(undefined, { folder, env: {}, print: (text) => assert.fail(text), ...options })
  assert.notEqual(model, undefined, 'a warning keeps no configuration from being used')
  return findings.map(({ severity, path, message }) => `${severity} at ${path}: ${message}`)
}

const slow = `
const wait = (ms) => { for (const end = performance.now() + ms; performance.now() < end;) continue }
export default { budgetMs: 2, decide: () => { wait(4); console.log('unheard'); return 'pass' } }`

const asking = "export default { decide: async () => { await fetch('http://127.0.0.1:9'); return 'pass' } }"

test('warns of a policy that is over the time it gives itself, and of one that calls somebody', async (t) => {
  const warnings = await said(t, { slow, asking }, { tryPolicies: true })
  assert.equal(warnings.length, 2, warnings.join('\n'))
  const [late, calling] = warnings
  assert.match(
    late,
    /^warning at policies\.slow: the policy "slow": decide took [\d.]+ms of its thread, the middle one of \d+ calls with made-up requests; its budget is 2ms$/,
  )
  assert.match(
    calling,
    /^warning at policies\.asking: the policy "asking": decide threw for every one of \d+ made-up requests: Error: fetch was called, and a policy calls nobody$/,
  )
})

test('a policy that never comes back, or ends its thread, is ended, and said to be so', async (t) => {
  // What evaluating has is long; what a trial has is over at once.
  const clock: Clock = {
    ...systemClock,
    monotonic: () => 0,
    after: (ms, run) => systemClock.after(ms === 10_000 ? ms : 0, run),
  }
  const hanging = 'export default { decide() { for (;;) continue } }'
  assert.deepEqual(await said(t, { hanging }, { tryPolicies: true, clock }), [
    'warning at policies.hanging: the policy "hanging", tried with made-up requests: a call did not come back within 2s',
  ])
  const exiting = 'export default { decide: () => process.exit(3) }'
  assert.deepEqual(await said(t, { exiting }, { tryPolicies: true }), [
    'warning at policies.exiting: the policy "exiting", tried with made-up requests: the file ended its thread with process.exit(3)',
  ])
})

test('warns of more source than a policy gives itself, whoever loads it, and calls no policy where none was asked for', async (t) => {
  const padding = `/* ${'x'.repeat(40_000)} */\n`
  const large = `${padding}export default { decide() { for (;;) continue } }`
  const granted = `${padding}export default { budgetBytes: 65536, decide: () => 'pass' }`
  const own = "export default { budgetBytes: 20, decide: () => 'pass' }"
  assert.deepEqual(await said(t, { large, granted, own }), [
    'warning at policies.large: the policy "large" is 39.1kb of source, with what it imports; its budget is 32kb',
    'warning at policies.own: the policy "own" is 56b of source, with what it imports; its budget is 20b',
  ])
})
