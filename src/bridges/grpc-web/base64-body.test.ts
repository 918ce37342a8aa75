import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import type { Chunk, End } from '../../core/body.ts'
import { END, StreamBody } from '../../core/body.ts'
import { Base64Body } from './base64-body.ts'

class Pieces extends StreamBody {
  readonly #pieces: Buffer[]

  constructor(pieces: Buffer[]) {
    super(undefined)
    this.#pieces = pieces
  }

  protected read(): Chunk | End {
    return this.#pieces.shift() ?? END
  }

  protected stop(): void {}

  trailers(): undefined {
    return undefined
  }
}

async function decoded(text: string, cut = 3): Promise<string> {
  const bytes = Buffer.from(text)
  const pieces = Array.from({ length: Math.ceil(bytes.length / cut) }, (_, i) => bytes.subarray(i * cut, (i + 1) * cut))
  const body = new Base64Body(new Pieces(pieces))
  const found: Buffer[] = []
  for (;;) {
    const chunk = await body.pull()
    if (chunk === END) return Buffer.concat(found).toString('hex')
    found.push(chunk)
  }
}

suite('content in base64', () => {
  test('runs are read one behind the other, wherever they are cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ maxLength: 10 }), { maxLength: 6 }),
        fc.integer({ min: 1, max: 9 }),
        async (runs, cut) => {
          const text = runs.map((run) => Buffer.from(run).toString('base64')).join('')
          assert.equal(await decoded(text, cut), Buffer.concat(runs).toString('hex'))
        },
      ),
    )
  })

  for (const text of ['A', 'AA', 'AAA', 'A===', 'AA=A', '====', 'AA-_', 'AAAA\n', 'AAAA AAA']) {
    test(`${JSON.stringify(text)} is refused`, async () => assert.rejects(decoded(text, 4), /base64/))
  }
})
