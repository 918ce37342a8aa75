import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { parsePathTemplate } from './path-template.ts'
import { RuleTree } from './rule-tree.ts'

function treeOf(...rules: string[]): RuleTree<string> {
  const tree = new RuleTree<string>()
  for (const rule of rules) {
    const [method, path] = rule.split(' ')
    assert.equal(tree.add(method, parsePathTemplate(path), rule), undefined, rule)
  }
  return tree
}

/** The rule and its variables, or the methods that are allowed. */
function found(tree: RuleTree<string>, method: string, path: string): string {
  const hit = tree.match(method, path)
  if (hit === undefined) return 'nothing'
  return 'allowed' in hit ? `only ${hit.allowed.toSorted().join()}` : [hit.value, ...hit.variables].join(' | ')
}

suite('rules by path', () => {
  const tree = treeOf(
    'GET /v1/{a}',
    'GET /v1/exact',
    'GET /v1/{all=**}',
    'POST /v1/{a}',
    'GET /v1/{name=shelves/*}/books',
    'GET /v1/shelves/top/{x}',
    'POST /v1/{x}:pay',
    'POST /v1/{x=**}:undo',
    'PURGE /cache/{x}',
    '* /any/{x}',
    'GET /files/{path=**}',
  )
  const table: [string, string, string][] = [
    ['GET', '/v1/exact', 'GET /v1/exact'],
    ['GET', '/v1/other', 'GET /v1/{a} | other'],
    ['GET', '/v1/a%2Fb', 'GET /v1/{a} | a%2Fb'],
    ['HEAD', '/v1/other', 'GET /v1/{a} | other'],
    ['POST', '/v1/exact', 'POST /v1/{a} | exact'],
    ['GET', '/v1', 'GET /v1/{all=**} | '],
    ['GET', '/v1/a/b/c', 'GET /v1/{all=**} | a/b/c'],
    ['GET', '/v1/shelves/top/books', 'GET /v1/shelves/top/{x} | books'],
    ['GET', '/v1/shelves/low/books', 'GET /v1/{name=shelves/*}/books | shelves/low'],
    ['GET', '/v1/shelves/low/pens', 'GET /v1/{all=**} | shelves/low/pens'],
    // A verb is one only where a rule has it; else it belongs to the value.
    ['POST', '/v1/user:123', 'POST /v1/{a} | user:123'],
    ['POST', '/v1/user:123:pay', 'POST /v1/{x}:pay | user:123'],
    ['POST', '/v1/:pay', 'POST /v1/{a} | :pay'],
    ['POST', '/v1/a/b:undo', 'POST /v1/{x=**}:undo | a/b'],
    ['GET', '/v1/x:pay', 'GET /v1/{a} | x:pay'],
    ['DELETE', '/v1/x', 'only GET,POST'],
    ['PURGE', '/cache/x', 'PURGE /cache/{x} | x'],
    ['GET', '/cache/x', 'only PURGE'],
    ['DELETE', '/any/x', '* /any/{x} | x'],
    ['GET', '/files', 'GET /files/{path=**} | '],
    ['GET', '/files/', 'nothing'],
    ['GET', '/files/a/', 'nothing'],
    ['GET', '/v2/x', 'nothing'],
    ['GET', '/', 'nothing'],
  ]
  for (const [method, path, expected] of table) {
    test(`${method} ${path}`, () => {
      assert.equal(found(tree, method, path), expected)
    })
  }

  test('a rule that no request could be told from another one is not taken', () => {
    assert.equal(treeOf('GET /v1/{a}').add('GET', parsePathTemplate('/v1/{b=*}'), 'second'), 'GET /v1/{a}')
    assert.equal(treeOf('GET /v1/{a}').add('GET', parsePathTemplate('/v1/{b}:verb'), 'second'), undefined)
  })
})
