import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { joinedCacheControl } from './cache-hint.ts'

suite('freshness of an operation', () => {
  const cases: [string, (string | undefined)[], string | undefined][] = [
    ['one answer', ['max-age=60'], 'max-age=60'],
    ['the shortest of several', ['max-age=60', 'public, max-age=5'], 'max-age=5'],
    ['what is meant for shared caches comes first', ['max-age=60, s-maxage=10'], 'max-age=10'],
    ['one that is private makes all private', ['max-age=60', 'Private, Max-Age=90'], 'private, max-age=60'],
    ['a qualified private is private', ['max-age=60, private="set-cookie"'], 'private, max-age=60'],
    ['one that says nothing', ['max-age=60', undefined], undefined],
    ['one that must not be kept', ['max-age=60', 'no-store'], undefined],
    ['one that must be asked for', ['no-cache="x", max-age=60'], undefined],
    ['nonsense', ['max-age=1e3'], undefined],
    ['said twice', ['max-age=1, max-age=2'], undefined],
    ['no call at all', [], undefined],
  ]
  for (const [name, said, expected] of cases) test(name, () => assert.equal(joinedCacheControl(said), expected))
})
