import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parsePathPattern, PatternError, patternShape, routeParamNames } from './path-pattern.ts'
import { matchOf } from '../../test/support/route-match.ts'

describe('path patterns', () => {
  it('are read segment by segment', () => {
    assert.deepEqual(parsePathPattern('/a/{x}/*/{y?}').segments, [
      { kind: 'literal', text: 'a' },
      { kind: 'one', name: 'x' },
      { kind: 'one', name: undefined },
      { kind: 'optional', name: 'y' },
    ])
    assert.deepEqual(parsePathPattern('/**').segments, [{ kind: 'rest' }])
    assert.deepEqual(parsePathPattern('/').segments, [{ kind: 'literal', text: '' }])
    assert.deepEqual(parsePathPattern('/a/').segments.at(-1), { kind: 'literal', text: '' })
  })

  it('have their literals in the form in which requests arrive', () => {
    assert.equal(patternShape(parsePathPattern('/caf%c3%a9')), '/caf%C3%A9')
    assert.equal(patternShape(parsePathPattern('/café')), '/caf%C3%A9')
    assert.equal(patternShape(parsePathPattern('/%61')), '/a')
    assert.equal(patternShape(parsePathPattern('/a|b')), '/a%7Cb')
    assert.equal(patternShape(parsePathPattern('/v1:cancel')), '/v1:cancel')
  })

  const mistakes: readonly (readonly [pattern: string, position: number, message: RegExp, remedy: RegExp])[] = [
    ['', 0, /begins with "\/"/, /write "\/"/],
    ['orders', 0, /begins with "\/"/, /write "\/orders"/],
    ['./orders', 0, /begins with "\/"/, /write "\/orders"/],
    ['/a/**/b', 3, /stands last/, /\{name\} or \*/],
    ['/a**', 1, /whole segment/, /\*\* for the rest/],
    ['/a*', 1, /whole segment/, /\{name\}/],
    ['/a/{x?}/b', 3, /stands last/, /two patterns/],
    ['/a-{x}', 1, /whole segment/, /nothing beside/],
    ['/{x}.json', 1, /whole segment/, /nothing beside/],
    ['/{x}{y}', 1, /whole segment/, /nothing beside/],
    ['/{x', 1, /whole segment/, /nothing beside/],
    ['/{}', 2, /not a parameter's name/, /letters/],
    ['/{1a}', 2, /not a parameter's name/, /letters/],
    ['/{x*}', 2, /not a parameter's name/, /letters/],
    ['/{x}/{x}', 5, /twice/, /own name/],
    ['/{x}/{x?}', 5, /twice/, /own name/],
    ['/a//b', 3, /empty segment/, /one "\/"/],
    ['/a/./b', 3, /no dot segments/, /lead to/],
    ['/a/../b', 3, /no dot segments/, /lead to/],
    ['/a/%2e%2e', 3, /above its root/, /correct/],
    ['/a/%2e', 3, /no dot segments/, /lead to/],
    ['/a?b', 1, /no query/, /query:/],
    ['/a#b', 1, /no query/, /query:/],
    ['/a b', 1, /whitespace/, /%20/],
    ['/a\\b', 1, /backslash/, /correct/],
    ['/%zz', 1, /percent sign/, /correct/],
    ['/%c0%af', 1, /UTF-8/, /correct/],
    ['/..;', 1, /dot segment/, /correct/],
  ]
  for (const [pattern, position, message, remedy] of mistakes) {
    it(`refuses ${JSON.stringify(pattern)} with place and remedy`, () => {
      assert.throws(
        () => parsePathPattern(pattern),
        (error: unknown) => {
          assert.ok(error instanceof PatternError)
          assert.match(error.message, message)
          assert.match(error.remedy, remedy)
          assert.equal(error.position, position)
          return true
        },
      )
    })
  }

  it('give a route the names of all of them, each once', () => {
    assert.deepEqual(routeParamNames(matchOf(['/a/{x}/{y}', '/b/{y}/**', '/c/*/{x?}'])), ['x', 'y', '**'])
    assert.deepEqual(routeParamNames(matchOf(['/a'])), [])
  })

  it('have one shape when they match the same paths', () => {
    assert.equal(patternShape(parsePathPattern('/a/{x}/{y?}')), patternShape(parsePathPattern('/a/{z}/{w?}')))
    assert.equal(patternShape(parsePathPattern('/a/*')), patternShape(parsePathPattern('/a/{x}')))
    assert.notEqual(patternShape(parsePathPattern('/a/{x?}')), patternShape(parsePathPattern('/a/{x}')))
    assert.notEqual(patternShape(parsePathPattern('/a/')), patternShape(parsePathPattern('/a')))
  })
})
