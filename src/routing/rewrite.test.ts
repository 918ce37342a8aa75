import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { matchOf } from '../../test/support/route-match.ts'
import { Headers } from '../core/headers.ts'
import { PatternError } from './path-pattern.ts'
import { readPath, refusalUnder } from './read-path.ts'
import { compileRedirect, compileRewrite } from './rewrite.ts'
import { createRouter } from './router.ts'

/** What a route's template makes of a request's path. */
function rewritten(pattern: string | readonly string[], template: string, target: string): string {
  const match = matchOf(typeof pattern === 'string' ? [pattern] : pattern)
  const hit = createRouter([{ match }]).match('GET', 'h', readPath(target).path, new Headers(), undefined)
  assert.ok(hit?.route !== undefined, `${target} matches`)
  return compileRewrite(template, match)(hit.params)
}

function redirected(pattern: string, to: string, target: string): string {
  const match = matchOf([pattern])
  const { path, query } = readPath(target)
  const hit = createRouter([{ match }]).match('GET', 'h', path, new Headers(), query)
  assert.ok(hit?.route !== undefined, `${target} matches`)
  return compileRedirect(to, match)(hit.params, query)
}

function throwsAt(run: () => unknown, position: number, message: RegExp): void {
  assert.throws(run, (error: unknown) => {
    assert.ok(error instanceof PatternError, String(error))
    assert.match(error.message, message)
    assert.equal(error.position, position, error.message)
    assert.notEqual(error.remedy, '')
    return true
  })
}

describe('rewrite.path', () => {
  const cases: readonly (readonly [pattern: string | readonly string[], template: string, target: string, result: string])[] = [
    ['/a', '/b', '/a', '/b'],
    ['/a', '/', '/a', '/'],
    ['/a', '/b/', '/a', '/b/'],
    ['/a/{x}', '/b/{x}/c', '/a/1', '/b/1/c'],
    ['/a/{x}', '/b/{x}', '/a/x%2Fy%20z', '/b/x%2Fy%20z'],
    ['/a/{x}', '/b/{x}', '/a/v1:cancel+now', '/b/v1:cancel+now'],
    ['/a/{x}', '/b/{x}.json', '/a/1', '/b/1.json'],
    ['/a/{x}/{y}', '/{y}/{x}-{y}', '/a/1/2', '/2/1-2'],
    ['/a/{x}/{y}', '/{x}.{y}', '/a/1/2', '/1.2'],
    ['/a/**', '/**', '/a', '/'],
    ['/a/**', '/**', '/a/', '/'],
    ['/a/**', '/**', '/a/b/c', '/b/c'],
    ['/a/**', '/x/**', '/a', '/x'],
    ['/a/**', '/x/**', '/a/', '/x/'],
    ['/a/**', '/x/**', '/a/b%2Fc/', '/x/b%2Fc/'],
    ['/a/{x}/**', '/{x}/y/**', '/a/1/2/3', '/1/y/2/3'],
    ['/a/{x?}', '/b/{x}', '/a', '/b'],
    ['/a/{x?}', '/b/{x}', '/a/1', '/b/1'],
    ['/a/{x?}', '/b/{x?}', '/a/1', '/b/1'],
    ['/a/{x?}', '/{x}', '/a', '/'],
    [['/a/{x}', '/b/{x?}'], '/c/{x}', '/b', '/c'],
    [['/a/{x}/{y}', '/b/{y}/{x}'], '/c/{x}/{y}', '/b/1/2', '/c/2/1'],
    ['/a', '/caf\u00e9', '/a', '/caf%C3%A9'],
  ]
  for (const [pattern, template, target, result] of cases) {
    it(`${String(pattern)} → ${template}: ${target} becomes ${result}`, () => {
      assert.equal(rewritten(pattern, template, target), result)
    })
  }

  const mistakes: readonly (readonly [pattern: string | readonly string[], template: string, position: number, message: RegExp])[] =
    [
      ['/a', 'b', 0, /begins with "\/"/],
      ['/a/{x}', '/b/{y}', 3, /has no \{y\}/],
      ['/a/{x}', '/b/{x}-{y}', 7, /has no \{y\}/],
      ['/a/{x}', '/b/**', 3, /has no \*\*/],
      ['/a/*', '/b/*', 3, /no name/],
      [['/a/{x}', '/b'], '/c/{x}', 3, /"\/b" has no \{x\}/],
      [['/a/**', '/b/{x}'], '/c/**', 3, /"\/b\/\{x\}" has no \*\*/],
      ['/a/{x?}', '/b/{x}/c', 3, /may be absent/],
      ['/a/{x?}', '/b/{x}.json', 3, /may be absent/],
      ['/a/**', '/**/b', 1, /stands last/],
      ['/a', '/b//c', 3, /empty segment/],
      ['/a', '/b/../c', 3, /dot segments/],
      ['/a', '/b?x=1', 2, /no query/],
      ['/a', '/b#x', 2, /no fragment/],
      ['/a/{x}', '/b/{x', 3, /brace/],
      ['/a/{x}', '/b/x}', 4, /brace/],
      ['/a/{x}', '/b/..{x}', 3, /dots alone/],
      ['/a', '/b\\c', 1, /backslash/],
      ['/a', '/b\r\nc', 1, /whitespace/],
    ]
  for (const [pattern, template, position, message] of mistakes) {
    it(`refuses ${JSON.stringify(template)} for ${String(pattern)}`, () => {
      throwsAt(() => compileRewrite(template, matchOf(typeof pattern === 'string' ? [pattern] : pattern)), position, message)
    })
  }

  it('refuses a dot between values that may carry encoded slashes', () => {
    const paths = ['/a/{x}/{y}']
    compileRewrite('/{x}.{y}', matchOf(paths))
    throwsAt(() => compileRewrite('/{x}.{y}', matchOf(paths, { allow: ['encoded-slash'] })), 4, /dots alone/)
  })

  it('yields normal paths only, whatever a client sends', () => {
    const pieces = ['a', '.', '..', '%2e', '%2F', ';', '%3B', '%3F', '%23', ':', '+', '%25', '%c3%a9', '"']
    const segment = fc.array(fc.constantFrom(...pieces), { minLength: 1, maxLength: 4 }).map((parts) => parts.join(''))
    const strict = matchOf(['/a/{x}/{y}/**'])
    const lax = matchOf(['/a/{x}/{y}/**'], { allow: ['encoded-slash', 'semicolon'] })
    const templates = ['/{x}', '/p/{x}/{y}', '/{x}.json', '/-{y}/q/**', '/{x}.{y}', '/**']
    const router = createRouter([{ match: lax }])
    fc.assert(
      fc.property(segment, segment, fc.array(segment, { maxLength: 3 }), (x, y, rest) => {
        const reading = readPath(`/a/${x}/${y}/${rest.join('/')}`)
        if (reading.fault !== undefined) return
        const hit = router.match('GET', 'h', reading.path, new Headers(), undefined)
        if (hit?.route === undefined) return
        const match = refusalUnder(reading, []) === undefined ? strict : lax
        for (const template of templates) {
          if (match === lax && template === '/{x}.{y}') continue
          const path = compileRewrite(template, match)(hit.params)
          assert.equal(readPath(path).path, path, template)
          // As many segments as the template has, and those of the rest: no value became two.
          const caught: number = template.endsWith('/**') ? (hit.params[2] ?? '').split('/').length - 1 : 0
          const own: number = template.replace('/**', '').split('/').length - 1
          assert.equal(path.split('/').length - 1, Math.max(1, own + caught), `${template}: ${path}`)
        }
      }),
      { numRuns: 3000 },
    )
  })
})

describe('redirect.to', () => {
  const cases: readonly (readonly [pattern: string, to: string, target: string, location: string])[] = [
    ['/a', '/b', '/a', '/b'],
    ['/a', '/b', '/a?x=1&y', '/b?x=1&y'],
    ['/a', '/b', '/a?', '/b'],
    ['/a', '/b?own=1', '/a?x=1', '/b?own=1&x=1'],
    ['/a', '/b#part', '/a?x=1', '/b?x=1#part'],
    ['/a/**', '/**', '/a//evil.example', '/evil.example'],
    ['/a/**', '/**', '/a', '/'],
    ['/**', 'https://new.example.com/**', '/x/y?q', 'https://new.example.com/x/y?q'],
    ['/**', 'https://new.example.com/**', '//evil.example/@x', 'https://new.example.com/evil.example/@x'],
    ['/a/{x}', 'https://new.example.com/{x}', '/a/@evil.example', 'https://new.example.com/@evil.example'],
    ['/a', 'https://NEW.example.com:443', '/a?q', 'https://new.example.com/?q'],
    ['/a', 'http://new.example.com:8080?x=1', '/a', 'http://new.example.com:8080/?x=1'],
    ['/a/{x}', '/find?for={x}&all=1', '/a/x%26y%3Dz', '/find?for=x%26y%3Dz&all=1'],
    ['/a/{x}', '/find?for={x}', '/a/x&y=z+1', '/find?for=x%26y%3Dz%2B1'],
    ['/a/{x?}', '/find?for={x?}', '/a', '/find?for='],
    ['/a/{x?}', '/b/{x?}', '/a/1?q', '/b/1?q'],
  ]
  for (const [pattern, to, target, location] of cases) {
    it(`${pattern} → ${to}: ${target} leads to ${location}`, () => assert.equal(redirected(pattern, to, target), location))
  }

  const mistakes: readonly (readonly [to: string, position: number, message: RegExp])[] = [
    ['', 0, /path or to an http/],
    ['b', 0, /path or to an http/],
    ['//evil.example', 0, /host name/],
    ['/\\evil.example', 0, /host name/],
    ['javascript:alert(1)', 0, /path or to an http/],
    ['ftp://x/', 0, /path or to an http/],
    ['https://{x}.example.com/', 8, /fixed/],
    ['https://{x}', 8, /fixed/],
    ['https://user@example.com/', 8, /not a host/],
    ['https:///b', 8, /not a host/],
    ['https://a b/', 8, /not a host/],
    ['https://example.com/{y}', 20, /has no \{y\}/],
    ['/b?y={y}', 5, /has no \{y\}/],
    ['/b?y=**', 3, /path only/],
    ['/b#{x}', 2, /fragment/],
    ['/b?x=\r\ny', 3, /may not stand/],
    ['/b#\r\ny', 3, /may not stand/],
    ['/b\r\ny', 1, /whitespace/],
    ['/b?caf\u00e9', 3, /may not stand/],
  ]
  for (const [to, position, message] of mistakes) {
    it(`refuses ${JSON.stringify(to)}`, () => throwsAt(() => compileRedirect(to, matchOf(['/a/{x}'])), position, message))
  }

  it('never lets a client choose where it leads, nor end the line', () => {
    const pieces = [
      '/',
      '//',
      '\\',
      '%5c',
      '@',
      ':',
      '%0d%0a',
      '\r\n',
      '?',
      '#',
      'evil.example',
      '%2F',
      '.',
      '..',
      '%40',
      ';',
      '%3F',
    ]
    const match = matchOf(['/b/{x}/**', '/**'])
    const redirects = ['/**', '/new/**', 'https://new.example.com/**', 'https://new.example.com:8443'].map((to) =>
      compileRedirect(to, match),
    )
    const router = createRouter([{ match }])
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 10 }), (parts) => {
        const { path, query, fault } = readPath(`/${parts.join('')}`)
        if (fault !== undefined) return
        const hit = router.match('GET', 'h', path, new Headers(), query)
        assert.ok(hit?.route !== undefined)
        for (const redirect of redirects) {
          const location = redirect(hit.params, query)
          assert.match(location, /^[!-~]+$/)
          const { host } = new URL(location, 'https://own.example.com')
          assert.ok(host.startsWith(location.startsWith('/') ? 'own.' : 'new.'), location)
        }
      }),
      { numRuns: 3000 },
    )
  })
})
