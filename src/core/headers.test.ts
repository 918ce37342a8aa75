import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { findHeaderId, findHeaderIdOf, headerId, nameFold, nameHashStep } from './header-names.ts'
import { Headers, dropTable, headerBlock } from './headers.ts'

/** Lines as a wire marks them: any white space after the colon and behind the value, any spelling of the name. */
interface Line {
  readonly name: string
  readonly gap: string
  readonly value: string
  readonly tail: string
}

function marked(lines: readonly Line[], start = 'GET / HTTP/1.1\r\n'): Headers {
  let text = start
  const marks: number[] = []
  for (const { name, gap, value, tail } of lines) {
    const nameStart = text.length
    text += `${name}:${gap}${value}${tail}\r\n`
    const valueStart = nameStart + name.length + 1 + gap.length
    marks.push(findHeaderIdOf(name), nameStart, nameStart + name.length, valueStart, valueStart + value.length)
  }
  return new Headers(`${text}\r\n`, marks)
}

const pairsOf = (headers: Headers): [string, string][] => {
  const pairs: [string, string][] = []
  headers.forEach((name, value) => pairs.push([name, value]))
  return pairs
}
const textOf = (pairs: readonly (readonly [string, string])[]): string =>
  pairs.map(([name, value]) => `${name}: ${value}\r\n`).join('')

const known = headerId('x-known')
headerId('x-other-known')

const line = (name: string, gap: string, value: string, tail = ''): Line => ({ name, gap, value, tail })

/** The id that a wire finds for a name in its bytes. */
const idAt = (text: string): number => {
  const bytes = Buffer.from(`..${text}..`, 'latin1')
  let hash = 0
  for (let i = 2; i < 2 + text.length; i++) hash = nameHashStep(hash, nameFold[bytes[i]])
  return findHeaderId(bytes, 2, 2 + text.length, hash)
}

describe('a list of headers', () => {
  it('finds values by name in any case, whether the name has an id or not', () => {
    const headers = Headers.received(['X-Known', 'a', 'X-Stranger', 'b', 'x-known', 'c', 'x-STRANGER', 'd'])
    assert.equal(headers.get('x-known'), 'a, c')
    assert.equal(headers.get('x-stranger'), 'b, d')
    assert.deepEqual(headers.all('x-stranger'), ['b', 'd'])
    assert.equal(headers.first(known), 'a')
    assert.equal(headers.has('x-stranger'), true)
    assert.equal(headers.has('x-nobody'), false)
    assert.equal(headers.get('x-nobody'), undefined)
  })

  it('does not take an underscore for a dash when it looks up, and does when it removes', () => {
    const headers = Headers.received(['x_known', 'a', 'X_Stranger', 'b', 'x-keep', 'c'])
    assert.equal(headers.get('x-known'), undefined)
    assert.equal(headers.first(known), undefined)
    assert.equal(headers.get('x-stranger'), undefined)
    headers.remove('x-known')
    headers.remove('x-stranger')
    assert.deepEqual(pairsOf(headers), [['x-keep', 'c']])
  })

  it('removes and replaces both spellings among received and made lines alike', () => {
    for (const name of ['x-known', 'x-stranger']) {
      const spelt = name.replaceAll('-', '_')
      const headers = Headers.received([name, '1', spelt, '2', name.toUpperCase(), '3'])
      headers.append(spelt, '4')
      headers.put(headerBlock([[name, '5']]))
      headers.putLines(`${name}: 6\r\n`)
      headers.set(name, '7')
      assert.deepEqual(pairsOf(headers), [[name, '7']], name)
    }
  })

  it('leaves out what a drop table names, in both spellings, and nothing that has no id', () => {
    const table = dropTable([known])
    const received = ['X-Known', 'a', 'x_known', 'b', 'x-stranger', 'c']
    assert.equal(Headers.received(received).toLines(table), 'x-stranger: c\r\n')
    assert.deepEqual(pairsOf(Headers.received(received).derive(table)), [['x-stranger', 'c']])
    const made = Headers.from([
      ['X-Known', 'a'],
      ['x_known', 'b'],
      ['x-stranger', 'c'],
    ])
    assert.equal(made.toLines(table), 'x-stranger: c\r\n')
    const block = new Headers()
    block.put(
      headerBlock([
        ['X-Known', 'a'],
        ['x-stranger', 'c'],
      ]),
    )
    assert.equal(block.toLines(table), 'x-stranger: c\r\n')
  })

  it('gives views that do not share edits', () => {
    const headers = Headers.received(['a', '1', 'b', '2'])
    const view = headers.derive()
    headers.set('a', '3')
    view.remove('b')
    assert.deepEqual(pairsOf(headers), [
      ['b', '2'],
      ['a', '3'],
    ])
    assert.deepEqual(pairsOf(view), [['a', '1']])
  })

  it('writes a line with other white space anew and copies its neighbours as they are', () => {
    const headers = marked([
      line('a', ' ', '1'),
      line('b', '', '2'),
      line('c', '\t ', '3', ' '),
      line('D', ' ', '4', '\t'),
      line('e', ' ', ''),
      line('f', '', ''),
    ])
    assert.equal(headers.toLines(), 'a: 1\r\nb: 2\r\nc: 3\r\nD: 4\r\ne: \r\nf: \r\n')
  })

  const impossible: [string, string][] = [
    ['', 'x'],
    ['a b', 'x'],
    ['a:', 'x'],
    ['é', 'x'],
    ['a', 'x\r\nb: y'],
    ['a', 'x\ny'],
    ['a', '\0'],
    ['a', ' x'],
    ['a', 'x\t'],
    ['a', '\u20ac'],
    ['a', '\x7f'],
  ]
  for (const [name, value] of impossible) {
    it(`never takes ${JSON.stringify(name)}: ${JSON.stringify(value)}`, () => {
      assert.throws(() => Headers.from([[name, value]]))
      assert.throws(() => new Headers().set(name, value))
      assert.throws(() => headerBlock([[name, value]]))
    })
  }

  const name = fc.constantFrom('x-known', 'X-Known', 'x_known', 'x-other-known', 'X-Stranger', 'x_stranger', 'x-stranger', 'q')
  const value = fc.stringMatching(/^([!-~\xa0-\xff]([ !-~\xa0-\xff]{0,6}[!-~\xa0-\xff])?)?$/)
  const anyLine = fc.record({ name, gap: fc.constantFrom(' ', '', '  ', '\t'), value, tail: fc.constantFrom('', ' ', '\t ') })
  const pairs = fc.array(fc.tuple(name, value), { maxLength: 3 })

  it('is sent exactly as it is seen, whatever was received, made and dropped', () => {
    const skips = [undefined, dropTable([known]), dropTable([known, headerId('x-other-known')])]
    const removed = fc.array(name, { maxLength: 2 })
    fc.assert(
      fc.property(
        fc.array(anyLine, { maxLength: 8 }),
        pairs,
        pairs,
        removed,
        fc.constantFrom(...skips),
        fc.constantFrom(...skips),
        (lines, block, added, gone, drop, skip) => {
          const headers = marked(lines).derive(drop)
          for (const each of gone) headers.remove(each)
          if (block.length > 0) headers.put(headerBlock(block))
          for (const [n, v] of added) headers.append(n, v)
          const seen = pairsOf(headers)
          assert.equal(headers.toLines(), textOf(seen))
          const kept = seen.filter(([n]) => skip === undefined || skip[Math.abs(findHeaderIdOf(n))] !== 1)
          assert.equal(headers.toLines(skip), textOf(kept))
          const fields: string[] = []
          headers.appendFields(fields, skip ?? dropTable([]))
          assert.deepEqual(
            fields,
            kept.flatMap(([n, v]) => [n.toLowerCase(), v]),
          )
          const copy = headers.copy(skip ?? dropTable([]))
          assert.deepEqual(pairsOf(copy), kept)
          for (const [n] of kept) copy.remove(n)
          copy.append('x-only-here', '1')
          assert.deepEqual(pairsOf(copy), [['x-only-here', '1']])
          assert.deepEqual(pairsOf(headers), seen)
          for (const lookedUp of ['x-known', 'x-stranger', 'q']) {
            const values = seen.filter(([n]) => n.toLowerCase() === lookedUp).map(([, v]) => v)
            assert.deepEqual(headers.all(lookedUp), values)
            assert.equal(headers.get(lookedUp), values.length === 0 ? undefined : values.join(', '))
            assert.equal(headers.has(lookedUp), values.length > 0)
          }
          assert.equal(headers.first(known), headers.all('x-known')[0])
        },
      ),
    )
  })
})

describe('ids of header names', () => {
  it('are the same for bytes and for text, in any case, and negative for another spelling', () => {
    assert.equal(idAt('X-Known'), known)
    assert.equal(idAt('x_known'), -known)
    assert.equal(idAt('x-knowm'), 0)
    assert.equal(idAt('x-know'), 0)
    fc.assert(
      fc.property(fc.stringMatching(/^[-_A-Za-z0-9]{1,20}$/), (text) => {
        assert.equal(idAt(text), findHeaderIdOf(text))
      }),
    )
  })

  it('are given once, to lower-case names only', () => {
    assert.equal(headerId('x-known'), known)
    for (const bad of ['X-Known', 'x_known', 'x known', '', 'é']) assert.throws(() => headerId(bad), `for ${bad}`)
  })

  it('are found while the table grows', () => {
    const names = Array.from({ length: 1000 }, (_, i) => `x-grown-${i}`)
    const ids = names.map((each) => headerId(each))
    assert.equal(new Set(ids).size, 1000)
    for (let i = 0; i < names.length; i++) assert.equal(idAt(names[i].toUpperCase()), ids[i])
    // A table made before a name got its id does not leave it out, and does not fail either.
    assert.equal(Headers.received(['x-grown-999', 'a']).toLines(new Uint8Array(4)), 'x-grown-999: a\r\n')
  })
})
