import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { headerId } from './header-names.ts'
import { dropTable, headerBlock, Headers } from './headers.ts'

const names = ['x-edit-a', 'x-edit-b', 'x-edit-c', 'x-edit-d']
const ids = names.map(headerId)

function linesOf(headers: Headers): string[] {
  const lines: string[] = []
  headers.forEach((name, value) => void lines.push(`${name}: ${value}`))
  return lines
}

test('single tells none, one and several lines apart', () => {
  const headers = Headers.received(['x-edit-a', '1', 'X-Edit-B', '1', 'x-edit-b', '2', 'x_edit_c', '1'])
  assert.equal(headers.single(ids[0]), '1')
  assert.equal(headers.single(ids[1]), null)
  assert.equal(headers.single(ids[2]), undefined)
  assert.equal(headers.derive(dropTable([ids[0]])).single(ids[0]), undefined)
})

test('drop leaves out received and made lines of every spelling, and what is set later stands', () => {
  const headers = Headers.received(['x-edit-a', '1', 'X_Edit_A', '2', 'x-edit-b', '1', 'x-unknown-name', '1'])
  headers.put(headerBlock([['x-edit-c', 'block']]))
  headers.append('X-Edit-D', 'added')
  headers.drop(dropTable([ids[0], ids[2], ids[3]]))
  assert.deepEqual(linesOf(headers), ['x-edit-b: 1', 'x-unknown-name: 1'])
  headers.append('x-edit-a', 'new')
  assert.deepEqual(linesOf(headers), ['x-edit-b: 1', 'x-unknown-name: 1', 'x-edit-a: new'])
})

/** The plainest implementation of the same edits. */
class Model {
  lines: [string, string][]

  constructor(received: readonly (readonly [string, string])[]) {
    this.lines = received.map(([name, value]) => [name, value])
  }

  remove(name: string): void {
    this.lines = this.lines.filter(([other]) => other.toLowerCase().replaceAll('_', '-') !== name)
  }

  add(lines: readonly (readonly [string, string])[]): void {
    for (const [name, value] of lines) this.lines.push([name, value])
  }
}

const name = fc.constantFrom(...names)
const received = fc.array(fc.tuple(fc.constantFrom(...names, 'X-Edit-A', 'x_edit_b', 'x-not-known'), fc.constantFrom('1', '2')), {
  maxLength: 6,
})
const edit = fc.oneof(
  fc.record({ kind: fc.constant('put' as const), lines: fc.uniqueArray(name, { minLength: 1, maxLength: 3 }) }),
  fc.record({ kind: fc.constant('drop' as const), lines: fc.uniqueArray(name, { minLength: 1, maxLength: 3 }) }),
  fc.record({ kind: fc.constant('append' as const), lines: fc.tuple(name) }),
  fc.record({ kind: fc.constant('set' as const), lines: fc.tuple(name) }),
  fc.record({ kind: fc.constant('remove' as const), lines: fc.tuple(name) }),
)

test('edits in any order come to what the plainest list would come to', () => {
  fc.assert(
    fc.property(received, fc.array(edit, { maxLength: 8 }), (lines, edits) => {
      const headers = Headers.received(lines.flat())
      const model = new Model(lines)
      edits.forEach(({ kind, lines: edited }, i) => {
        const pairs = edited.map((each) => [each, `${kind}-${i}`] as const)
        if (kind !== 'append') for (const each of edited) model.remove(each)
        if (kind === 'put') headers.put(headerBlock(pairs))
        else if (kind === 'drop') headers.drop(dropTable(edited.map(headerId)))
        else if (kind === 'append') headers.append(pairs[0][0], pairs[0][1])
        else if (kind === 'set') headers.set(pairs[0][0], pairs[0][1])
        else headers.remove(edited[0])
        if (kind !== 'drop' && kind !== 'remove') model.add(pairs)
      })
      // Blocks are sent before single lines, so only the lines as a whole are compared, and the order within a name.
      const expected = model.lines.map(([each, value]) => `${each}: ${value}`)
      assert.deepEqual(linesOf(headers).sort(), expected.sort())
      for (const each of names) {
        const values = model.lines.filter(([other]) => other.toLowerCase() === each).map(([, value]) => value)
        assert.deepEqual(headers.all(each).sort(), values.sort())
      }
      const sent = headers.toLines()
      assert.deepEqual(sent === '' ? [] : sent.slice(0, -2).split('\r\n').sort(), expected)
    }),
    { numRuns: 3000 },
  )
})
