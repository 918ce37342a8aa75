import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { Body, Chunk, End } from './body.ts'
import { BytesBody, END, StreamBody, emptyBody, readAll, textBody } from './body.ts'
import { Fault } from './fault.ts'
import type { FaultCode } from './fault.ts'
import type { MaybePromise } from './handler.ts'
import { Headers } from './headers.ts'

/** A source whose pieces the test gives one by one; a pull waits until there is one. */
class Source extends StreamBody {
  pulls = 0
  stopped: Fault | undefined = undefined
  readonly #ready: (Chunk | End | Fault)[]
  #waiting: { resolve(piece: Chunk | End): void; reject(why: Fault): void } | undefined = undefined

  constructor(ready: (string | End | Fault)[] = [], size?: number) {
    super(size)
    this.#ready = ready.map((piece) => (typeof piece === 'string' ? Buffer.from(piece) : piece))
  }

  give(piece: string | End | Fault): void {
    const given = typeof piece === 'string' ? Buffer.from(piece) : piece
    const waiting = this.#waiting
    this.#waiting = undefined
    if (waiting === undefined) this.#ready.push(given)
    else if (given instanceof Fault) waiting.reject(given)
    else waiting.resolve(given)
  }

  trailers(): Headers {
    return Headers.from([['x-digest', 'abc']])
  }

  protected read(): MaybePromise<Chunk | End> {
    this.pulls++
    const piece = this.#ready.shift()
    if (piece instanceof Fault) throw piece
    if (piece !== undefined) return piece
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject }
    })
  }

  protected stop(why: Fault): void {
    this.stopped = why
  }
}

const textOf = async (body: Body): Promise<string> => (await readAll(body, Infinity)).toString()
const isFault = (code: FaultCode) => (thrown: unknown) => thrown instanceof Fault && thrown.code === code

describe('a body of bytes', () => {
  it('gives its bytes once, and again by replay and by fork', async () => {
    const body = textBody('hello')
    assert.equal(body.size, 5)
    assert.equal(body.bytes?.toString(), 'hello')
    assert.deepEqual(body.pull(), Buffer.from('hello'))
    assert.equal(body.pull(), END)
    const replay = body.replay(5)!
    assert.equal(await textOf(replay.again()!), 'hello')
    assert.equal(await textOf(replay.again()!), 'hello')
    assert.equal(await textOf(body.fork(0)), 'hello')
    assert.equal(body.replay(4), undefined)
  })

  it('ends at once when it is empty, however often it is used', () => {
    for (let i = 0; i < 3; i++) assert.equal(emptyBody.pull(), END)
    emptyBody.cancel(new Fault('cancelled'))
    assert.equal(emptyBody.pull(), END)
  })
})

describe('reading a whole body', () => {
  it('joins its pieces, whether they wait or not', async () => {
    const source = new Source(['he', 'l'])
    const read = readAll(source, 5)
    await Promise.resolve()
    source.give('lo')
    source.give(END)
    assert.equal((await read).toString(), 'hello')
  })

  it('stops as soon as it is too large, and cancels the rest', async () => {
    const source = new Source(['abc', 'def', 'ghi'])
    await assert.rejects(readAll(source, 5), isFault('body-too-large'))
    assert.equal(source.pulls, 2)
    assert.equal(source.stopped?.code, 'body-too-large')
    const announced = new Source([], 6)
    await assert.rejects(readAll(announced, 5), isFault('body-too-large'))
    assert.equal(announced.pulls, 0)
  })
})

describe('a fork', () => {
  it('sees what the first reader pulled, its end and its trailers', async () => {
    const source = new Source(['a', 'b', END])
    const fork = source.fork(100)
    assert.equal(await textOf(source), 'ab')
    assert.equal(await textOf(fork), 'ab')
    assert.equal(fork.trailers()?.get('x-digest'), 'abc')
  })

  it('never makes the first reader wait, and pulls nothing itself', async () => {
    const source = new Source()
    const fork = source.fork(100)
    const early = fork.pull() as Promise<Chunk | End>
    assert.equal(source.pulls, 0)
    source.give('a')
    // The first reader's pull is answered at once, although nobody reads the fork on.
    assert.equal((source.pull() as Chunk).toString(), 'a')
    assert.equal((await early)?.toString(), 'a')
    source.give('b')
    assert.equal((source.pull() as Chunk).toString(), 'b')
  })

  it('fails when it lags by more than its bound, without harm to anybody else', async () => {
    const source = new Source(['aaaa', 'bbbb', 'cccc', END])
    const slow = source.fork(7)
    const other = source.fork(100)
    assert.equal(await textOf(source), 'aaaabbbbcccc')
    await assert.rejects(async () => slow.pull(), isFault('fork-lagged'))
    await assert.rejects(async () => slow.pull(), isFault('fork-lagged'))
    assert.equal(await textOf(other), 'aaaabbbbcccc')
  })

  it('may be behind by exactly its bound', async () => {
    const source = new Source(['aaaa', 'bbbb', END])
    const fork = source.fork(8)
    await textOf(source)
    assert.equal(await textOf(fork), 'aaaabbbb')
  })

  it('fails with the source, thrown or rejected, and is never ended by it', async () => {
    const throwing = new Source(['a', new Fault('client-left')])
    const first = throwing.fork(100)
    await assert.rejects(textOf(throwing), isFault('client-left'))
    await assert.rejects(textOf(first), isFault('client-left'))
    const rejecting = new Source()
    const second = rejecting.fork(100)
    const read = assert.rejects(textOf(rejecting), isFault('service-truncated'))
    const forkRead = assert.rejects(textOf(second), isFault('service-truncated'))
    rejecting.give(new Fault('service-truncated'))
    await Promise.all([read, forkRead])
  })

  it('fails when the first reader gives up', async () => {
    const source = new Source(['a'])
    const fork = source.fork(100)
    void source.pull()
    const waiting = assert.rejects(textOf(fork), isFault('cancelled'))
    source.cancel(new Fault('cancelled'))
    await waiting
    assert.equal(source.stopped?.code, 'cancelled')
  })

  it('can be given up without harm to the source', async () => {
    const source = new Source(['a', 'b', END])
    const fork = source.fork(1)
    fork.cancel(new Fault('cancelled'))
    assert.equal(await textOf(source), 'ab')
    assert.equal(source.stopped, undefined)
  })

  it('can be forked itself', async () => {
    const source = new Source(['a', 'b', END])
    const fork = source.fork(100)
    const second = fork.fork(100)
    await textOf(source)
    assert.equal(await textOf(fork), 'ab')
    assert.equal(await textOf(second), 'ab')
  })
})

describe('a replay', () => {
  it('begins anew after a half-read attempt, and each piece is pulled once', async () => {
    const source = new Source(['a', 'b', 'c', END])
    const replay = source.replay(100)!
    assert.equal((await replay.first.pull())?.toString(), 'a')
    assert.equal((await replay.first.pull())?.toString(), 'b')
    assert.equal(await textOf(replay.again()!), 'abc')
    assert.equal(await textOf(replay.again()!), 'abc')
    assert.equal(source.pulls, 4)
  })

  it('does not lose the piece that an abandoned attempt was waiting for', async () => {
    const source = new Source(['a'])
    const replay = source.replay(100)!
    await replay.first.pull()
    const abandoned = replay.first.pull()
    const second = replay.again()!
    const read = textOf(second)
    source.give('b')
    source.give('c')
    source.give(END)
    assert.equal(await read, 'abc')
    assert.equal((await abandoned)?.toString(), 'b')
    assert.equal(source.pulls, 4)
  })

  it('ends the earlier attempt', async () => {
    const replay = new Source(['a', END]).replay(100)!
    const { first } = replay
    const second = replay.again()!
    assert.equal(replay.first, first)
    await assert.rejects(async () => first.pull(), isFault('cancelled'))
    assert.equal(await textOf(second), 'a')
  })

  it('is impossible beyond its bound, and the first attempt goes on', async () => {
    const source = new Source(['aaaa', 'bbbb', 'cccc', END])
    const replay = source.replay(7)!
    await replay.first.pull()
    assert.notEqual(replay.again(), undefined)
    const other = new Source(['aaaa', 'bbbb', 'cccc', END])
    const over = other.replay(7)!
    assert.equal(await textOf(over.first), 'aaaabbbbcccc')
    assert.equal(over.again(), undefined)
    assert.equal(new Source([], 8).replay(7), undefined)
  })

  it('lets a fault of the source through to every attempt, and tries the source no further by itself', async () => {
    const source = new Source(['a', new Fault('client-left')])
    const replay = source.replay(100)!
    await assert.rejects(textOf(replay.first), isFault('client-left'))
    assert.equal(source.pulls, 2)
  })

  it('leaves the source to its owner when an attempt is cancelled', async () => {
    const source = new Source(['a', 'b', END])
    const replay = source.replay(100)!
    await replay.first.pull()
    replay.first.cancel(new Fault('service-reset'))
    assert.equal(source.stopped, undefined)
    assert.equal(await textOf(replay.again()!), 'ab')
  })

  it('gives every attempt the same bytes, wherever the one before was left and however the pieces came', async () => {
    const pieces = fc.array(fc.tuple(fc.string({ minLength: 1, maxLength: 9 }), fc.boolean()), { maxLength: 8 })
    await fc.assert(
      fc.asyncProperty(pieces, fc.array(fc.nat(8), { maxLength: 4 }), async (given, attempts) => {
        const source = new Source()
        for (const [piece, waits] of given) {
          if (waits) setImmediate(() => source.give(piece))
          else source.give(piece)
        }
        // Pieces that wait come behind the others.
        const expected = [...given.filter(([, waits]) => !waits), ...given.filter(([, waits]) => waits)]
          .map(([piece]) => piece)
          .join('')
        setImmediate(() => source.give(END))
        const replay = source.replay(1000)!
        let body = replay.first
        for (const pulls of attempts) {
          let chunk: Chunk | End = Buffer.alloc(0)
          for (let i = 0; i < pulls && chunk !== END; i++) chunk = await body.pull()
          body = replay.again()!
        }
        assert.equal(await textOf(body), expected)
      }),
      { numRuns: 50 },
    )
  })
})

it('a body of bytes holds the bytes it was given', () => {
  const bytes = Buffer.from('x')
  assert.equal(new BytesBody(bytes).bytes, bytes)
})
