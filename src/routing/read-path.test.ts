import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { readPath, refusalUnder } from './read-path.ts'

/** What targets are made of for the property tests: everything that a reading treats in its own way. */
const pieces = [
  ' ',
  ...'/ // . .. %2e %2E %2f %2F %3b ; %5c %25 %252e %00 a B ~ %41 %7b { %c3%a9 %c3 %e2%82%ac'.split(' '),
  ...'%f0%9f%98%80 %ff " ? # \\ \xe9 : @ % %4 |'.split(' '),
]

function flags(target: string): [boolean, boolean] {
  const { hasEncodedSlash, hasSemicolon } = readPath(target)
  return [hasEncodedSlash, hasSemicolon]
}

describe('one reading of a path', () => {
  const readings: readonly (readonly [target: string, path: string, why: string])[] = [
    ['/', '/', 'the root'],
    ['/a/b', '/a/b', 'a plain path as it is'],
    ['/a/b/', '/a/b/', 'a slash at the end stays'],
    ["/a-b.c_d~e!$&'()*+,=:@f", "/a-b.c_d~e!$&'()*+,=:@f", 'everything that may stand in a segment'],
    ['//a', '/a', 'slashes merged in front'],
    ['/a//b///c', '/a/b/c', 'slashes merged inside'],
    ['/a//', '/a/', 'slashes merged at the end'],
    ['//', '/', 'nothing but slashes'],
    ['//evil.example/x', '/evil.example/x', 'no host can begin a path'],
    ['/./a', '/a', 'a dot in front'],
    ['/a/./b', '/a/b', 'a dot inside'],
    ['/a/.', '/a/', 'a dot at the end names the folder'],
    ['/.', '/', 'only a dot'],
    ['/a/../b', '/b', 'two dots'],
    ['/a/..', '/', 'two dots at the end'],
    ['/a/b/..', '/a/', 'two dots at the end name the folder'],
    ['/a/b/../../c', '/c', 'back to the root'],
    ['/a//../b', '/b', 'slashes merged before dots are resolved'],
    ['/a/%2e%2e/b', '/b', 'encoded dots are dots'],
    ['/a/%2E%2e/b', '/b', 'in either case'],
    ['/a/.%2e/b', '/b', 'and half encoded'],
    ['/%2e/a', '/a', 'also a single one'],
    ['/a/.../b', '/a/.../b', 'three dots are a name'],
    ['/a/..b', '/a/..b', 'dots may begin a name'],
    ['/.well-known/x', '/.well-known/x', 'one dot too'],
    ['/a/b..', '/a/b..', 'and end one'],
    ['/%61%7E%2D%5f', '/a~-_', 'unreserved characters decoded'],
    ['/a%3ab%40', '/a%3Ab%40', 'others stay encoded, in upper case'],
    ['/a:b', '/a:b', 'so a delimiter keeps its spelling'],
    ['/caf%c3%a9', '/caf%C3%A9', 'UTF-8 of two bytes'],
    ['/%e2%82%ac', '/%E2%82%AC', 'of three'],
    ['/%f0%9f%98%80', '/%F0%9F%98%80', 'of four'],
    ['/%25', '/%25', 'an encoded percent sign'],
    ['/%252e%252e/a', '/%252e%252e/a', 'encoded twice is not decoded twice'],
    ['/%2561', '/%2561', 'nor made something decodable'],
    ['/%23%3F', '/%23%3F', 'an encoded hash or question mark stays content'],
    ['/a"b<c>', '/a%22b%3Cc%3E', 'what may not stand in a path is encoded'],
    ['/[1]^`{|}', '/%5B1%5D%5E%60%7B%7C%7D', 'also what browsers send as it is'],
    ['/a%20b', '/a%20b', 'an encoded space'],
    ['/a;v=1', '/a;v=1', 'a semicolon'],
    ['/a%2fb', '/a%2Fb', 'an encoded slash'],
  ]
  for (const [target, path, why] of readings) {
    it(`reads ${JSON.stringify(target)}: ${why}`, () => {
      const reading = readPath(target)
      assert.equal(reading.fault, undefined)
      assert.equal(reading.path, path)
      assert.equal(reading.query, undefined)
    })
  }

  const faults: readonly (readonly [target: string, fault: RegExp])[] = [
    ['', /begin with/],
    ['*', /begin with/],
    ['a', /begin with/],
    ['http://host/a', /begin with/],
    ['?x', /begin with/],
    ['/..', /above its root/],
    ['/../a', /above its root/],
    ['/a/../..', /above its root/],
    ['/a/../../b', /above its root/],
    ['/%2e%2e/a', /above its root/],
    ['/.%2e/', /above its root/],
    ['//../a', /above its root/],
    ['/./../a', /above its root/],
    ['/a\\b', /backslash/],
    ['/..\\a', /backslash/],
    ['/a%5cb', /backslash/],
    ['/a%5Cb', /backslash/],
    ['/a#b', /may not stand/],
    ['/#', /may not stand/],
    ['/a b', /may not stand/],
    ['/a\tb', /may not stand/],
    ['/a\0', /may not stand/],
    ['/a\r\nx', /may not stand/],
    ['/a\x7f', /may not stand/],
    ['/caf\xe9', /may not stand/],
    ['/\x80', /may not stand/],
    ['/\u{1F600}', /may not stand/],
    ['/\u0130', /may not stand/],
    ['/a%00', /control/],
    ['/a%0d%0aset-cookie', /control/],
    ['/%1F', /control/],
    ['/%7f', /control/],
    ['/%', /percent sign/],
    ['/a%', /percent sign/],
    ['/a%4', /percent sign/],
    ['/a%4?b', /percent sign/],
    ['/%zz', /percent sign/],
    ['/%4g', /percent sign/],
    ['/%u002e', /percent sign/],
    ['/% 41', /percent sign/],
    ['/%+1', /percent sign/],
    ['/%c0%ae%c0%ae/', /UTF-8/],
    ['/%c0%af', /UTF-8/],
    ['/%c1%bf', /UTF-8/],
    ['/%e0%80%af', /UTF-8/],
    ['/%e0%9f%bf', /UTF-8/],
    ['/%f0%80%80%af', /UTF-8/],
    ['/%f0%8f%bf%bf', /UTF-8/],
    ['/%ed%a0%80', /UTF-8/],
    ['/%ed%bf%bf', /UTF-8/],
    ['/%f4%90%80%80', /UTF-8/],
    ['/%f5%80%80%80', /UTF-8/],
    ['/%ff', /UTF-8/],
    ['/%80', /UTF-8/],
    ['/%c3', /UTF-8/],
    ['/%c3a9', /UTF-8/],
    ['/%c3/%a9', /UTF-8/],
    ['/%c3%29', /UTF-8/],
    ['/%e2%82', /UTF-8/],
    ['/%e2%82%2f', /UTF-8/],
    ['/..;/admin', /hides a dot segment/],
    ['/a/..;x=1/b', /hides a dot segment/],
    ['/a/.;/b', /hides a dot segment/],
    ['/a/..%3b/b', /hides a dot segment/],
    ['/a/%2e%2e;/b', /hides a dot segment/],
    ['/a/..%2f..%2fetc', /hides a dot segment/],
    ['/a/%2e%2e%2fb', /hides a dot segment/],
    ['/a/x%2f..', /hides a dot segment/],
    ['/a/x%2F.%2Fy', /hides a dot segment/],
    ['/a/x%2f..;/y', /hides a dot segment/],
    ['/a?b#c', /may not stand/],
    ['/a?b c', /may not stand/],
    ['/a?\0', /may not stand/],
    ['/a?\xe9', /may not stand/],
    ['/a/../b?x\r\ny', /may not stand/],
  ]
  for (const [target, fault] of faults) {
    it(`refuses ${JSON.stringify(target)}`, () => {
      const reading = readPath(target)
      assert.match(reading.fault ?? '', fault)
      assert.equal(reading.path, '')
    })
  }

  it('keeps the query as it came, behind the first question mark', () => {
    assert.deepEqual([readPath('/a?').path, readPath('/a?').query], ['/a', ''])
    assert.equal(readPath('/a?x=/../y&z=%zz?\\[]{|}^`').query, 'x=/../y&z=%zz?\\[]{|}^`')
    assert.deepEqual([readPath('/a/../b?c//d').path, readPath('/a/../b?c//d').query], ['/b', 'c//d'])
    assert.deepEqual([readPath('/a/..?b').path, readPath('/a/..?b').query], ['/', 'b'])
  })

  it('flags what only some routes take', () => {
    assert.deepEqual(flags('/a/b'), [false, false])
    assert.deepEqual(flags('/a%2Fb'), [true, false])
    assert.deepEqual(flags('/a%2fb/../c'), [true, false])
    assert.deepEqual(flags('/a;b'), [false, true])
    assert.deepEqual(flags('/a%3Bb'), [false, true])
    assert.deepEqual(flags('/a%2fb;c'), [true, true])
    assert.deepEqual(flags('/a?b=%2F;'), [false, false])
  })

  it('refuses these under a route that does not allow them', () => {
    const slash = readPath('/a%2Fb')
    assert.match(refusalUnder(slash, [])?.detail ?? '', /encoded slash/)
    assert.match(refusalUnder(slash, ['semicolon'])?.detail ?? '', /encoded slash/)
    assert.equal(refusalUnder(slash, ['encoded-slash']), undefined)
    const semicolon = readPath('/a;b')
    assert.equal(refusalUnder(semicolon, [])?.name, 'malformed')
    assert.match(refusalUnder(semicolon, ['encoded-slash'])?.detail ?? '', /semicolon/)
    assert.equal(refusalUnder(semicolon, ['semicolon', 'encoded-slash']), undefined)
    assert.equal(refusalUnder(readPath('/a'), []), undefined)
  })

  const targets = fc.array(fc.constantFrom(...pieces), { maxLength: 14 }).map((parts) => `/${parts.join('')}`)

  it('changes nothing when it reads its own result', () => {
    fc.assert(
      fc.property(targets, (target) => {
        const first = readPath(target)
        if (first.fault !== undefined) return
        const second = readPath(first.query === undefined ? first.path : `${first.path}?${first.query}`)
        assert.deepEqual([second.path, second.query, second.fault], [first.path, first.query, undefined])
      }),
      { numRuns: 5000 },
    )
  })

  it('never yields anything that could be read in a second way', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          targets,
          fc.string({ unit: 'binary' }).map((text) => `/${text}`),
        ),
        (target) => {
          const { path, fault } = readPath(target)
          if (fault !== undefined) return
          assert.match(path, /^\/(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/]|%[0-9A-F]{2})*$/)
          assert.doesNotMatch(path, /\/\//)
          // No decoding, once more, of slashes or parameters brings a dot segment forth.
          for (const segment of path.split(/\/|%2F/)) assert.doesNotMatch(segment, /^\.{1,2}(?:$|;|%3B)/)
          // What a standard parser makes of it is the same path.
          assert.equal(new URL(path, 'http://host').pathname, path)
          decodeURIComponent(path)
        },
      ),
      { numRuns: 5000 },
    )
  })

  it('reads what the standard parser of URLs reads, apart from merged slashes and spelling', () => {
    const plain = fc.constantFrom('/', '.', '..', '%2e', 'a', 'b', '/a', '/../', '/./')
    fc.assert(
      fc.property(fc.array(plain, { maxLength: 12 }), (parts) => {
        const target = `/${parts.join('')}`.replace(/\/+/g, '/')
        const { path, fault } = readPath(target)
        // The standard stays at the root where we refuse to go above it.
        if (fault === undefined)
          assert.equal(path, new URL(target, 'http://host').pathname.replaceAll('%2e', '.').replace(/\/+/g, '/'))
        else assert.match(fault, /above its root/)
      }),
      { numRuns: 3000 },
    )
  })
})
