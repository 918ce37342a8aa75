import assert from 'node:assert/strict'
import { parsePathTemplate, TemplateError } from '../../../src/bridges/grpc-json/path-template.ts'
import { parsePathPattern, patternShape, PatternError } from '../../../src/routing/path-pattern.ts'
import { readPath } from '../../../src/routing/read-path.ts'
import { createRouter } from '../../../src/routing/router.ts'
import { parseAuthority } from '../../../src/wire/authority.ts'
import { parseAbsoluteTarget } from '../../../src/wire/request-target.ts'
import { Headers } from '../../../src/core/headers.ts'
import { matchOf } from '../../support/route-match.ts'
import { defineTarget } from '../fuzz-target.ts'
import { spoilt } from '../spoilt.ts'

const pathWords = [
  '/',
  '//',
  '/./',
  '/../',
  '..',
  '%2e',
  '%2E%2e',
  '%2f',
  '%5c',
  '\\',
  ';',
  '%3b',
  '%00',
  '%',
  '%c3%a9',
  '%ff',
  '?',
  '#',
  '|',
  '%7e',
]
const paths = [
  '/',
  '/a/b',
  '/a/./b/../c',
  '/a%2fb',
  '/a//b',
  '/a;b/c',
  '/%7euser',
  '/a/b/?q=1&r',
  '/caf%c3%a9',
  '/a/%2e%2e/b',
  '/a/..;/b',
  '/[x]',
]

/** A path read once more: its percent-encodings undone, as a careless service might. */
const careless = (path: string): string => path.replace(/%(?:2[ef]|3b)/gi, (text) => decodeURIComponent(text))

const hiddenDots = /(?:^|\/)\.{1,2}(?:$|[/;])/

const requestPath = defineTarget({
  name: 'request path',
  promise: 'read once or refused; the normal form reads to itself, hides no dots, and is where a browser would go',
  cases: spoilt(paths, pathWords),
  fewCases: 600,
  check(target) {
    const reading = readPath(target)
    if (reading.fault !== undefined) return
    const { path, query } = reading
    assert.match(path, /^\/(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/]|%[0-9A-F]{2})*$/)
    assert.ok(!hiddenDots.test(careless(path)), `${path} hides dots`)
    assert.ok(!path.includes('//'))
    const again = readPath(query === undefined ? path : `${path}?${query}`)
    assert.deepEqual([again.path, again.query, again.fault], [path, query, undefined])
    // What dots have led away from is told too, since a service might have read it in another way.
    assert.ok(reading.hasEncodedSlash || !again.hasEncodedSlash)
    assert.ok(reading.hasSemicolon || !again.hasSemicolon)
    assert.equal(again.hasEncodedSlash, path.includes('%2F'))
    // The other reading of URLs that everybody has at hand. It merges no slashes, so only paths without runs are compared.
    if (/\/\/|\/(?:\.|%2e){2}\/\//i.test(target)) return
    const theirs = readPath(new URL(target, 'http://a').pathname)
    assert.equal(theirs.path, path)
  },
})

const authorities = ['a', 'A.example:80', '[::1]:8080', '127.0.0.1:1', 'a_b.c-d', '[::ffff:1.2.3.4]', 'a.b.']
const authorityWords = [
  ':',
  ':0',
  ':65535',
  ':65536',
  '@',
  '[',
  ']',
  '%25',
  '::',
  'xn--',
  '.',
  '/',
  '\\',
  '?',
  '#',
  '127.1',
  '0x7f',
]

const authority = defineTarget({
  name: 'authority',
  promise: 'a host and a port that a URL parser finds too, or nothing; reading it again changes nothing',
  cases: spoilt(authorities, authorityWords),
  fewCases: 600,
  check(text) {
    const read = parseAuthority(text)
    if (read === undefined) return
    assert.equal(parseAuthority(read), read)
    assert.equal(read, text.toLowerCase())
    assert.ok(URL.canParse(`http://${read}/`) || !/[a-z]/.test(read) || /^xn--|\.xn--|\.\d|\.0x/.test(read), `${read} is in no URL`)
    if (!URL.canParse(`http://${read}/`)) return
    const url = new URL(`http://${read}/`)
    assert.deepEqual([url.username, url.password, url.pathname, url.search, url.hash], ['', '', '/', '', ''])
    const port = /:(\d+)$/.exec(read)?.[1] ?? ''
    if (!read.startsWith('[') || read.includes(']:')) assert.equal(url.port, port === '80' ? '' : port)
  },
})

const absoluteTargets = ['http://a/b?c', 'https://A:443', 'http://[::1]/', 'HTTP://a?b', 'http://a', 'http://user@a/']

const absoluteTarget = defineTarget({
  name: 'absolute target',
  promise: 'authority and origin form as a URL parser takes it apart, or nothing',
  cases: spoilt(absoluteTargets, [...authorityWords, ...pathWords, 'http://', '//', 'https:']),
  check(target) {
    const parts = parseAbsoluteTarget('GET', target)
    if (parts === undefined) return
    assert.ok(parts.target.startsWith('/'))
    assert.equal(parseAuthority(parts.authority), parts.authority)
    if (!URL.canParse(target) || /[\t\n\r\\]/.test(target)) return
    const url = new URL(target)
    const [host] = /^(?:\[[^\]]*\]|[^:]*)/.exec(parts.authority)!
    // Numbers of IPv4 are written in many ways, which a URL parser makes one.
    if (!/^[\d.x]+$/.test(url.hostname) && !host.startsWith('[') && !host.includes('xn--')) assert.equal(url.hostname, host)
    const { path, fault } = readPath(parts.target)
    if (fault === undefined && !/\/\//.test(parts.target)) assert.equal(readPath(url.pathname).path, path)
  },
})

const patterns = ['/a/b', '/a/{x}', '/a/{x?}', '/a/**', '/{a}/{b}/*', '/', '/a/', '/caf\u00e9/{id}']
const patternWords = ['{', '}', '{x}', '{y?}', '*', '**', '/', '..', '%2f', '%', '?', '#', ';', '\ud800', '\u00e9', ' ']

/** A path that a pattern is for: every parameter `v`. */
const examplePath = (source: string): string =>
  `/${parsePathPattern(source)
    .segments.map((segment) => (segment.kind === 'literal' ? segment.text : segment.kind === 'rest' ? 'v/w' : 'v'))
    .join('/')}`

const pathPattern = defineTarget({
  name: 'path pattern',
  promise: 'a pattern or a PatternError with its place; a pattern matches the paths that it describes',
  cases: spoilt(patterns, patternWords),
  check(source) {
    let shape: string
    try {
      shape = patternShape(parsePathPattern(source))
    } catch (thrown) {
      assert.ok(thrown instanceof PatternError, String(thrown))
      assert.ok(thrown.position >= 0 && thrown.position <= source.length && thrown.remedy !== '')
      return
    }
    assert.ok(shape.startsWith('/'))
    const path = examplePath(source)
    const reading = readPath(path)
    assert.equal(reading.path, path, `the literals of ${source} are in normal form`)
    const router = createRouter([{ name: 'r', match: matchOf([source]) }])
    assert.ok(router.match('GET', 'a', path, new Headers(), undefined)?.route !== undefined, `${source} matches ${path}`)
  },
})

const templates = ['/v1/{name=shelves/*}/books/{book}:verb', '/v1/{a.b}', '/v1/**', '/v1/{x=**}:y', '/v1/*']
const pathTemplate = defineTarget({
  name: 'google.api.http template',
  promise: 'a template or a TemplateError; its variables lie within its segments',
  cases: spoilt(templates, ['{', '}', '=', '*', '**', ':', '/', '{x}', '%2F', '.', '{a.b=c/**}']),
  check(text) {
    try {
      const { segments, variables } = parsePathTemplate(text)
      assert.ok(segments.length > 0)
      for (const { start, end, fieldPath } of variables) {
        assert.ok(fieldPath.length > 0 && start >= 0 && start < segments.length && (end === Infinity || end <= segments.length))
      }
    } catch (thrown) {
      assert.ok(thrown instanceof TemplateError, String(thrown))
    }
  },
})

export const pathTargets = [requestPath, authority, absoluteTarget, pathPattern, pathTemplate]
