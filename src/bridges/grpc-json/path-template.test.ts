import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { TemplateError, decodeVariable, expandTemplate, normalLiteral, parsePathTemplate } from './path-template.ts'
import { RuleTree } from './rule-tree.ts'

/** What a template is, in a few words: segments, `field=range`, `:verb`. */
function shape(text: string): string {
  const { segments, variables, verb } = parsePathTemplate(text)
  const parts = segments.map((segment) => (segment.kind === 'literal' ? segment.text : segment.kind === 'one' ? '*' : '**'))
  const names = variables.map(({ fieldPath, start, end }) => ` ${fieldPath.join('.')}=${start}-${end === Infinity ? '' : end}`)
  return `${parts.join('/')}${verb === '' ? '' : ` :${verb}`}${names.join('')}`
}

suite('path templates', () => {
  const good: Record<string, string> = {
    '/v1/a': 'v1/a',
    '/v1/*/b': 'v1/*/b',
    '/**': '**',
    '/v1/**:go': 'v1/** :go',
    '/{x}': '* x=0-1',
    '/v1/{x=*}': 'v1/* x=1-2',
    '/v1/{x=**}': 'v1/** x=1-',
    '/v1/{x=**}:watch': 'v1/** :watch x=1-',
    '/v1/{a.b.c=shelves/*/books/**}': 'v1/shelves/*/books/** a.b.c=1-',
    '/v1/{name=shelves/*}/books/{book}:read': 'v1/shelves/*/books/* :read name=1-3 book=4-5',
    '/v1/{x}:a:b': 'v1/* :a:b x=1-2',
    '/v1/a:b:c': 'v1/a:b :c',
    '/v1/a%2db%2F': 'v1/a-b%2F',
    "/v1/a-._~!$&'()+,;@": "v1/a-._~!$&'()+,;@",
  }
  for (const [text, expected] of Object.entries(good)) test(`${text} is read`, () => assert.equal(shape(text), expected))

  const bad = [
    '',
    'v1',
    '/',
    '//',
    '/v1/',
    '/v1//a',
    '/a/**/b',
    '/{x=**}/b',
    '/{x',
    '/x}',
    '/{}',
    '/{x=}',
    '/{x=a/}',
    '/{x={y}}',
    '/a{x}',
    '/{x}a',
  ]
  for (const text of [
    ...bad,
    '/{1x}',
    '/{x.}',
    '/{x}/{x}',
    '/a*',
    '/a?b',
    '/a#b',
    '/a b',
    '/%zz',
    '/{x}:',
    '/{x}:a/b',
    '/a:b/{x=**}/c',
  ]) {
    test(`${text} is refused`, () => assert.throws(() => parsePathTemplate(text), TemplateError))
  }

  test('of one segment everything is decoded, of several all but the slash', () => {
    assert.equal(decodeVariable('a%2Fb%20c', false), 'a/b c')
    assert.equal(decodeVariable('a%2Fb%20c/d%2fe', true), 'a%2Fb c/d%2fe')
  })

  test('a path that a template matches is what the template makes of its variables', () => {
    const literal = fc.stringMatching(/^[a-z]{1,5}$/)
    const field = fc.uniqueArray(fc.stringMatching(/^[a-z]{1,3}$/), { minLength: 4, maxLength: 4 })
    // A segment as the one reading of paths writes it.
    const raw = fc.oneof(
      fc.stringMatching(/^[a-z0-9\-._~!$&'()*+,=@]{1,6}$/),
      fc.constantFrom('%2F', 'a%2Fb', '%20', '%C3%A9', 'x%25y'),
    )
    const kinds = fc.array(fc.constantFrom('literal', 'one', 'variable', 'several'), { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(
        kinds,
        field,
        fc.array(literal, { minLength: 8, maxLength: 8 }),
        fc.array(raw, { minLength: 8, maxLength: 8 }),
        fc.constantFrom('', 'go'),
        fc.constantFrom(-1, 0, 1, 2),
        (parts, names, words, values, verb, tail) => {
          const template: string[] = []
          const path: string[] = []
          for (const [i, kind] of parts.entries()) {
            if (kind === 'literal' || kind === 'one') {
              template.push(words[i])
              path.push(words[i])
            } else if (kind === 'variable') {
              template.push(`{${names[i]}}`)
              path.push(values[i])
            } else {
              template.push(`{${names[i]}=${words[i]}/*}`)
              path.push(words[i], values[i])
            }
          }
          if (tail >= 0) {
            template.push('{rest_of_it=**}')
            path.push(...values.slice(4, 4 + tail))
          }
          const suffix = verb === '' ? '' : `:${verb}`
          const parsed = parsePathTemplate(`/${template.join('/')}${suffix}`)
          const url = `/${path.join('/')}${suffix}`
          const tree = new RuleTree<string>()
          tree.add('GET', parsed, 'it')
          const hit = tree.match('GET', url)
          // `/{x=**}:go` of no segment at all is "/:go", whose one segment is empty.
          if (path.length === 0) return
          assert.ok(hit !== undefined && 'variables' in hit, `${parsed.text} does not match ${url}`)
          const texts = hit.variables.map((text, i) => decodeVariable(text, parsed.variables[i].isMulti))
          assert.equal(expandTemplate(parsed, texts), url)
        },
      ),
      { numRuns: 500 },
    )
  })

  test('literals are compared in one spelling', () => {
    assert.equal(normalLiteral('%7e%c3%a9%2f'), '~%C3%A9%2F')
  })
})
