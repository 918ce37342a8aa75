import assert from 'node:assert/strict'
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { exchangeOf } from '../../test/support/exchange.ts'
import { LocalHub } from '../../test/support/local-hub.ts'
import { policyEnv } from '../../test/support/policy-env.ts'
import { systemClock } from '../core/clock.ts'
import type { Log } from '../core/log.ts'
import type { Verdict } from '../core/verdict.ts'
import { addresses } from '../policies/addresses.ts'
import { NodeAddressFiles } from './node-address-files.ts'

interface Scene {
  /** Replaces the file, as editors and tools do. */
  readonly write: (text: string) => void
  readonly path: string
  /** Resolves when something is logged that was not before. */
  readonly logged: () => Promise<string>
  readonly build: (options: object) => { ready: Promise<void>; code: (address: string) => string }
}

function scene(t: TestContext): Scene {
  const folder = mkdtempSync(join(tmpdir(), 'velum-test-'))
  const path = join(folder, 'list.txt')
  let heard = Promise.withResolvers<string>()
  const say = (message: string, fields?: object): void => {
    heard.resolve(`${message} ${JSON.stringify(fields)}`)
    heard = Promise.withResolvers()
  }
  const hub = new LocalHub()
  const telling: Log = { debug() {}, info: say, warn: say, error: say }
  const files = new NodeAddressFiles(hub, systemClock, telling)
  t.after(() => {
    files.close()
    rmSync(folder, { recursive: true, force: true })
  })
  return {
    path,
    write(text) {
      writeFileSync(`${path}.new`, text)
      renameSync(`${path}.new`, path)
    },
    logged: () => heard.promise,
    build(options) {
      const built = addresses.build({ allow: undefined, deny: [], ...options }, policyEnv({ link: hub.link() }))!
      return {
        ready: built.ready!,
        code(address) {
          const x = exchangeOf()
          x.clientAddress = address
          return (built.policies[0].decide!(x, 'charge') as Verdict).code
        },
      }
    },
  }
}

test('a list in a file decides like one in the configuration, and a changed one counts', async (t) => {
  const { path, write, logged, build } = scene(t)
  write('10.0.0.0/8\n')
  const { ready, code } = build({ allow: ['192.0.2.7/32'], allowFiles: [path] })
  await ready
  assert.deepEqual(['10.1.2.3', '192.0.2.7', '11.0.0.1'].map(code), ['allowed', 'allowed', 'unlisted'])
  const said = logged()
  write('11.0.0.0/8\n')
  assert.match(await said, /was read again .*"ranges":1/)
  assert.deepEqual(['10.1.2.3', '192.0.2.7', '11.0.0.1'].map(code), ['unlisted', 'allowed', 'allowed'])
})

test('a changed list that cannot be used leaves the one before', async (t) => {
  const { path, write, logged, build } = scene(t)
  write('10.0.0.0/8\n')
  const { ready, code } = build({ denyFiles: [path] })
  await ready
  const said = logged()
  write('10.0.0.0/8\nlocalhost\n')
  assert.match(await said, /not usable.*line 2: .*localhost/)
  assert.equal(code('10.0.0.1'), 'denied')
  assert.equal(code('11.0.0.1'), 'allowed')
})

test('a list that is not there keeps what needs it from being served', async (t) => {
  const { path, build } = scene(t)
  await assert.rejects(build({ denyFiles: [path] }).ready, /ENOENT/)
})
