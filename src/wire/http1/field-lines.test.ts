import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { H, headerId } from '../../core/header-names.ts'
import { Headers, marksPerLine } from '../../core/headers.ts'
import { FieldLines, fieldFaults, fieldsDone, fieldsMore, fieldsTooMany } from './field-lines.ts'

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1')

function read(text: string, maxLines = 100): { result: number; lines: FieldLines } {
  const lines = new FieldLines(maxLines)
  lines.begin(0)
  return { result: lines.scan(latin1(text), 0, text.length), lines }
}

const pairsOf = (text: string, lines: FieldLines): [string, string][] => {
  const pairs: [string, string][] = []
  new Headers(text.slice(0, lines.at), lines.marks).forEach((name, value) => void pairs.push([name, value]))
  return pairs
}

describe('FieldLines', () => {
  test('reads names, ids and trimmed values', () => {
    const text = 'Host: a\r\nX-Odd:\t b c \t\r\nEmpty:\r\nx_auth_subject: me\r\nobs: \x80\xff\r\n\r\nbody'
    const { result, lines } = read(text)
    assert.equal(result, fieldsDone)
    assert.equal(lines.at, text.length - 4)
    assert.equal(lines.lineCount, 5)
    assert.deepEqual(pairsOf(text, lines), [
      ['Host', 'a'],
      ['X-Odd', 'b c'],
      ['Empty', ''],
      ['x_auth_subject', 'me'],
      ['obs', '\x80\xff'],
    ])
    assert.equal(lines.marks[0], H.host)
    assert.equal(lines.marks[3 * marksPerLine], -H.authSubject)
  })

  test('knows names that get an id later', () => {
    const id = headerId('x-late-comer')
    const { lines } = read('X-LATE-comer: 1\r\n\r\n')
    assert.equal(lines.marks[0], id)
  })

  test('counts places from the base, wherever the bytes lie', () => {
    const bytes = latin1('......GET / HTTP/1.1\r\nA: b\r\n\r\n')
    const lines = new FieldLines(10)
    lines.begin(16)
    assert.equal(lines.scan(bytes, 6, 26), fieldsMore)
    const moved = latin1('GET / HTTP/1.1\r\nA: b\r\n\r\n')
    assert.equal(lines.scan(moved, 0, moved.length), fieldsDone)
    assert.deepEqual(pairsOf(moved.toString('latin1'), lines), [['A', 'b']])
  })

  const refused: [why: string, text: string, words: string][] = [
    ['a bare line feed', 'A: b\n\r\n', fieldFaults[1]],
    ['a bare line feed inside a value', 'A: b\nB: c\r\n\r\n', fieldFaults[1]],
    ['a bare line feed for the end', 'A: b\r\n\n', fieldFaults[1]],
    ['a bare carriage return', 'A: b\rc\r\n\r\n', fieldFaults[2]],
    ['a doubled carriage return', 'A: b\r\r\n\r\n', fieldFaults[2]],
    ['a bare carriage return for the end', 'A: b\r\n\rX', fieldFaults[2]],
    ['a folded line', 'A: b\r\n c\r\n\r\n', fieldFaults[3]],
    ['a line folded by a tab', 'A: b\r\n\tc\r\n\r\n', fieldFaults[3]],
    ['white space before the first name', ' A: b\r\n\r\n', fieldFaults[3]],
    ['a line without a colon', 'A\r\n\r\n', fieldFaults[4]],
    ['an empty name', ': b\r\n\r\n', fieldFaults[4]],
    ['a name with a byte that is none of a token', 'A(: b\r\n\r\n', fieldFaults[4]],
    ['a name with obs-text', 'A\xe4: b\r\n\r\n', fieldFaults[4]],
    ['a NUL in a name', 'A\0: b\r\n\r\n', fieldFaults[4]],
    ['a space before the colon', 'A : b\r\n\r\n', fieldFaults[5]],
    ['a tab before the colon', 'A\t: b\r\n\r\n', fieldFaults[5]],
    ['a NUL in a value', 'A: b\0\r\n\r\n', fieldFaults[6]],
    ['a DEL in a value', 'A: b\x7f\r\n\r\n', fieldFaults[6]],
    ['an escape in a value', 'A: \x1b[0m\r\n\r\n', fieldFaults[6]],
  ]
  for (const [why, text, words] of refused) {
    test(`refuses ${why}, however the bytes are split`, () => {
      const { result } = read(text)
      assert.ok(result < 0)
      assert.equal(fieldFaults[-result], words)
      for (let cut = 0; cut < text.length; cut++) {
        const lines = new FieldLines(100)
        lines.begin(0)
        const first = lines.scan(latin1(text), 0, cut)
        if (first !== fieldsMore) assert.equal(first, result)
        else assert.equal(lines.scan(latin1(text), 0, text.length), result)
      }
    })
  }

  test('every control byte is refused in name and value', () => {
    for (let byte = 0; byte < 256; byte++) {
      const c = String.fromCharCode(byte)
      const fine = byte === 9 || (byte >= 32 && byte !== 127)
      assert.equal(read(`A: x${c}y\r\n\r\n`).result === fieldsDone, fine, `value byte ${byte}`)
      const token = /[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(c)
      if (c !== ':') assert.equal(read(`A${c}B: x\r\n\r\n`).result === fieldsDone, token, `name byte ${byte}`)
    }
  })

  test('refuses one line too many', () => {
    assert.equal(read('A: 1\r\nB: 2\r\n\r\n', 2).result, fieldsDone)
    assert.equal(read('A: 1\r\nB: 2\r\nC: 3\r\n\r\n', 2).result, fieldsTooMany)
  })

  test('any split gives the same lines', () => {
    const name = fc.stringMatching(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,12}$/)
    const value = fc.stringMatching(/^(?:[!-~\x80-\xff](?:[\t -~\x80-\xff]{0,12}[!-~\x80-\xff])?)?$/)
    const ows = fc.constantFrom('', ' ', '\t', '  ')
    const line = fc.tuple(name, ows, value, ows)
    fc.assert(
      fc.property(fc.array(line, { maxLength: 8 }), fc.array(fc.nat(), { maxLength: 6 }), (given, cuts) => {
        const text = `${given.map(([n, before, v, after]) => `${n}:${before}${v}${after}\r\n`).join('')}\r\n`
        const bytes = latin1(text)
        const lines = new FieldLines(100)
        lines.begin(0)
        const ends = cuts.map((cut) => cut % text.length).toSorted((a, b) => a - b)
        for (const end of ends) assert.equal(lines.scan(bytes, 0, end), fieldsMore)
        assert.equal(lines.scan(bytes, 0, text.length), fieldsDone)
        assert.equal(lines.at, text.length)
        assert.deepEqual(
          pairsOf(text, lines),
          given.map(([n, , v]) => [n, v]),
        )
      }),
    )
  })
})
