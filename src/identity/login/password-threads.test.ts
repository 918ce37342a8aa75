import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { getPriority } from 'node:os'
import { test } from 'node:test'
import { systemClock } from '../../core/clock.ts'
import { ManualClock } from '../../core/manual-clock.ts'
import { hashCostOf, isOtherCost } from './hash-cost.ts'
import type { HashResult, HashTask } from './hash-messages.ts'
import type { HashThread } from './password-threads.ts'
import { PasswordThreads } from './password-threads.ts'

/** Threads that answer when a test says so. */
class HeldThreads {
  readonly tasks: HashTask[] = []
  readonly #listeners: ((result: HashResult | undefined) => void)[] = []
  readonly #waiting: number[] = []
  started = 0
  ended = 0

  readonly start = (): HashThread => {
    const index = this.started++
    return {
      post: (task) => {
        this.tasks.push(task)
        this.#waiting.push(index)
      },
      heard: (listener) => void (this.#listeners[index] = listener),
      end: async () => void this.ended++,
    }
  }

  get busy(): number {
    return this.#waiting.length
  }

  async answer(result: HashResult | undefined): Promise<void> {
    this.#listeners[this.#waiting.shift()!](result)
    for (let i = 0; i < 5; i++) await Promise.resolve()
  }
}

const cost = { memoryKib: 64, passes: 2, lanes: 1 }

test('a password is hashed to a PHC string of the wanted cost and known again, in real threads', async (t) => {
  const passwords = new PasswordThreads({ clock: systemClock, cost, threads: 2 })
  t.after(() => passwords.close())
  const phc = await passwords.hash('correct horse')
  assert.match(phc, /^\$argon2id\$v=19\$m=64,t=2,p=1\$/)
  assert.deepEqual(hashCostOf(phc), cost)
  assert.equal(await passwords.verify('correct horse', phc), true)
  assert.equal(await passwords.verify('wrong horse', phc), false)
  assert.equal(isOtherCost(phc, cost), false)
  assert.equal(isOtherCost(phc, { ...cost, passes: 3 }), true)
  assert.equal(isOtherCost('$2b$10$abcdefghijklmnopqrstuv', cost), true)
  await assert.rejects(passwords.verify('x', 'not a hash'))
  assert.equal(await passwords.verify('correct horse', phc), true, 'a bad record harms no other')
})

test('a stranger is judged by a hash of the same cost, and is never the one', async () => {
  const held = new HeldThreads()
  const passwords = new PasswordThreads({ clock: new ManualClock(), cost, threads: 1, startThread: held.start })
  const [known, unknown] = [passwords.verify('a', '$argon2id$stored'), passwords.verify('a', undefined)]
  await held.answer({ value: '$argon2id$decoy' })
  await held.answer({ value: true })
  await held.answer({ value: true })
  assert.equal(await known, true)
  assert.equal(await unknown, false)
  assert.deepEqual(
    held.tasks.map((task) => task.kind),
    ['hash', 'verify', 'verify'],
  )
  assert.equal((held.tasks[2] as { phc: string }).phc, '$argon2id$decoy')
})

test('threads and queue are bounded; what does not fit is told when there is room', async () => {
  const held = new HeldThreads()
  const passwords = new PasswordThreads({ clock: new ManualClock(), cost, threads: 1, maxQueued: 3, startThread: held.start })
  const fits = Array.from({ length: 4 }, () => passwords.hash('x'))
  await assert.rejects(passwords.hash('x'), { name: 'HashQueueFull', retryAfterMs: 150 })
  assert.equal(held.started, 1)
  assert.equal(held.busy, 1)
  for (let i = 0; i < 4; i++) await held.answer({ value: 'phc' })
  assert.deepEqual(await Promise.all(fits), ['phc', 'phc', 'phc', 'phc'])
  assert.equal(passwords.size, 0)
})

test('a thread that dies is replaced; what it was at fails, what waits goes on', async () => {
  const held = new HeldThreads()
  const passwords = new PasswordThreads({ clock: new ManualClock(), cost, threads: 1, startThread: held.start })
  const [lost, waiting] = [passwords.hash('x'), passwords.hash('y')]
  const failed = assert.rejects(lost, /has ended/)
  await held.answer(undefined)
  await failed
  await held.answer({ value: 'phc' })
  assert.equal(await waiting, 'phc')
  assert.equal(held.started, 2)
})

test('closing rejects what waits and ends the threads; closing when idle lets it finish', async () => {
  const held = new HeldThreads()
  const passwords = new PasswordThreads({ clock: new ManualClock(), cost, threads: 1, startThread: held.start })
  const waiting = passwords.hash('x')
  const failed = assert.rejects(waiting, /not hashed any more/)
  await passwords.close()
  await failed
  assert.equal(held.ended, 1)
  const other = new PasswordThreads({ clock: new ManualClock(), cost, threads: 1, startThread: held.start })
  const last = other.hash('y')
  await other.closeWhenIdle()
  await held.answer({ value: 'skipped' })
  await held.answer({ value: 'phc' })
  assert.equal(await last, 'phc')
  assert.equal(held.ended, 2)
})

test('threads that hash are less urgent than all others', { skip: process.platform !== 'linux' }, async (t) => {
  const passwords = new PasswordThreads({ clock: systemClock, cost, threads: 1 })
  t.after(() => passwords.close())
  const before = niceOfThreads()
  await passwords.hash('correct horse battery')
  const raised = [...niceOfThreads()].filter(([thread]) => !before.has(thread)).map(([, nice]) => nice)
  const own = getPriority(0)
  assert.deepEqual(
    raised.filter((nice) => nice > own),
    [Math.min(19, own + 10)],
  )
  for (const [thread, nice] of before) assert.equal(niceOfThreads().get(thread) ?? nice, nice)
})

/** The 19th field of `stat`, by thread (proc(5)). */
function niceOfThreads(): Map<string, number> {
  const threads = new Map<string, number>()
  for (const thread of readdirSync('/proc/self/task')) {
    let stat: string
    try {
      stat = readFileSync(`/proc/self/task/${thread}/stat`, 'utf8')
    } catch {
      continue // It has ended meanwhile.
    }
    threads.set(thread, Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16]))
  }
  return threads
}
