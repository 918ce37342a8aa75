import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import type { Chunk, End } from '../../core/body.ts'
import { END, StreamBody } from '../../core/body.ts'
import { ContentValues } from './content-values.ts'

class Pieces extends StreamBody {
  readonly #pieces: Buffer[]
  #given = 0

  constructor(pieces: Buffer[]) {
    super(undefined)
    this.#pieces = pieces
  }

  protected read(): Chunk | End | Promise<Chunk | End> {
    const next = this.#pieces[this.#given++] ?? END
    return this.#given % 2 === 0 ? next : Promise.resolve(next)
  }

  protected stop(): void {}

  trailers(): undefined {
    return undefined
  }
}

async function valuesOf(text: string, cut = 3, maxBytes = 1000): Promise<string[]> {
  const bytes = Buffer.from(text)
  const pieces = Array.from({ length: Math.ceil(bytes.length / cut) }, (_, i) => bytes.subarray(i * cut, (i + 1) * cut))
  const values = new ContentValues(new Pieces(pieces), maxBytes)
  const found: string[] = []
  for (;;) {
    const value = await values.pull()
    if (value === END) return found
    found.push(value.toString().trim())
  }
}

suite('values of a content that streams', () => {
  test('are cut as they were written, whatever the pieces', async () => {
    const value = fc.oneof(
      fc.dictionary(
        fc.string({ maxLength: 4 }),
        fc.oneof(fc.string({ maxLength: 6 }), fc.integer(), fc.array(fc.string({ maxLength: 3 }))),
        { maxKeys: 3 },
      ),
      fc.constantFrom({ a: '}' }, { a: '"]' }, { '\\': '\\"' }),
    )
    await fc.assert(
      fc.asyncProperty(
        fc.array(value, { maxLength: 5 }),
        fc.constantFrom('lines', 'array', 'joined'),
        fc.integer({ min: 1, max: 9 }),
        async (list, form, cut) => {
          const texts = list.map((item) => JSON.stringify(item))
          const text = form === 'array' ? `[ ${texts.join(' ,\n')} ] ` : texts.join(form === 'lines' ? '\n' : '')
          assert.deepEqual(await valuesOf(text, cut), texts)
        },
      ),
    )
  })

  test('plain values may stand on lines and in arrays', async () => {
    assert.deepEqual(await valuesOf('1\n"a"\n\nnull'), ['1', '"a"', 'null'])
    assert.deepEqual(await valuesOf('[1,"a,]",null]'), ['1', '"a,]"', 'null'])
    assert.deepEqual(await valuesOf(' \n '), [])
  })

  for (const text of ['[', '[1', '[1,', '[1,]', '[,1]', '[1,,2]', '[1]x', '[1]"x"', '[1]{}', '[1] [2]', '[]]', '{}}']) {
    test(`${text} is refused`, async () => assert.rejects(valuesOf(text), /no stream of JSON/))
  }

  test('one that is too large is refused before all of it has come', async () => {
    await assert.rejects(valuesOf(`{"a":"${'x'.repeat(10_000)}`, 100, 1000), /larger than 1000 bytes/)
    await assert.rejects(valuesOf(`{"a":"${'x'.repeat(1000)}"}`, 5000, 1000), /larger than 1000 bytes/)
  })

  test('the time that it takes grows as the content does', async () => {
    const many = 100_000
    const startedAt = performance.now()
    assert.deepEqual(await valuesOf('\n'.repeat(many), many), [])
    assert.deepEqual(await valuesOf(`${' '.repeat(many)}{}`, 10), ['{}'])
    await assert.rejects(valuesOf(`${' '.repeat(many)}1${'{'.repeat(many)}`, 2 * many), /larger than 1000 bytes/)
    const long = `"${'x'.repeat(many)}"`
    assert.deepEqual(await valuesOf(long, 2, many + 2), [long])
    assert.ok(performance.now() - startedAt < 5000)
  })

  test('values that wait to be read are not written over by what comes behind them', async () => {
    const values = new ContentValues(new Pieces(['{"a', '', '":1}{"b":', '', '2}[3', ',4]'].map((text) => Buffer.from(text))), 1000)
    const found: Buffer[] = []
    for (let value = await values.pull(); value !== END; value = await values.pull()) found.push(value)
    assert.deepEqual(found.map(String), ['{"a":1}', '{"b":2}', '[3,4]'])
  })
})
