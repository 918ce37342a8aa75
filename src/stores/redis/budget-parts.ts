import { randomInt } from 'node:crypto'
import type { BudgetCall, BudgetHolders, BudgetReply } from '../../core/budgets.ts'
import type { Clock } from '../../core/clock.ts'
import { Fault } from '../../core/fault.ts'
import { budgetPartOf, budgetPrefixes, epochKeys, holdersKey, holdersPart } from './budget-layout.ts'
import { BudgetMemory } from './budget-memory.ts'
import type { Recollection } from './budget-memory.ts'
import { BudgetMessage, readBudgetAnswer } from './budget-messages.ts'
import type { Lesson } from './budget-messages.ts'
import { budgetScript, greetScript } from './budget-script.ts'
import type { RedisConnection } from './redis-connection.ts'

export interface BudgetPartsOptions {
  readonly redis: RedisConnection
  /** Whether the parts may lie on different servers. */
  readonly isSpread: boolean
  readonly gateway: string
  readonly clock: Clock
  /** In place of the server's clock, for tests; '' for that. */
  readonly time: () => string
  /** The store has forgotten, and is learning for so long. */
  readonly forgot: (forMs: number) => void
}

/** How long after its first use a part is still being told what was used before. */
const learningMs = 2000
/** Budgets that are told in one message, besides those that are asked for. */
const lessonsAtOnce = 256
/** A part that begins anew each time it is asked does not keep what it is told. */
const mostBeginnings = 3

/**
 * The parts of the data that hold budgets, one by one. A server that is found to have forgotten everything is told what
 * this thread remembers: of budgets that are asked for before they are asked for, of all others at once afterwards.
 */
export class BudgetParts {
  readonly #options: BudgetPartsOptions
  readonly #prefixes: readonly string[]
  readonly #epochKeys: readonly string[]
  readonly #holdersKey: string
  /** By what number the server knows this holder: 2^48 of them do not meet. */
  readonly #holder = randomInt(2 ** 48 - 1)
  readonly #epochs: number[]
  readonly #memory: BudgetMemory
  /** What is still to be told. */
  readonly #untold = new Map<string, Recollection>()
  #isTelling = false

  constructor(options: BudgetPartsOptions) {
    const { gateway, clock } = options
    this.#options = options
    this.#prefixes = budgetPrefixes(gateway)
    this.#epochKeys = epochKeys(gateway)
    this.#holdersKey = holdersKey(gateway)
    this.#epochs = this.#prefixes.map(() => 0)
    this.#memory = new BudgetMemory(clock)
  }

  /** The part that a place belongs to, as far as that matters to who asks. */
  partOf(place: string): number {
    return this.#options.isSpread ? budgetPartOf(place) : holdersPart
  }

  /** Carries out calls on one part. Rejects with `store-down`. */
  async run(part: number, calls: readonly BudgetCall[]): Promise<readonly BudgetReply[]> {
    for (let beginnings = 0; beginnings < mostBeginnings; beginnings++) {
      const lessons = this.#untold.size === 0 ? [] : this.#lessonsFor(calls)
      const answer = await this.#send(part, calls, lessons)
      if (answer === undefined) continue
      this.#told(lessons)
      this.#remember(calls, answer)
      return answer
    }
    throw new Fault('store-down', 'the store forgets what it is told')
  }

  /** Finds out whether a part can be written. */
  async probe(part: number): Promise<void> {
    await this.#send(part, [], [])
  }

  async greet(member: string, forgetMs: number): Promise<BudgetHolders> {
    if (this.#untold.size > 0 && !this.#isTelling) void this.#tell()
    // Who asks for nothing hears of a new beginning here.
    const [reply] = await Promise.all([
      this.#options.redis.run(holdersPart, greetScript, [this.#holdersKey], [member, String(forgetMs)]),
      this.probe(holdersPart),
    ])
    const members = reply as string[]
    return { holders: members.length, nodes: new Set(members.map((one) => one.slice(0, one.lastIndexOf('/')))).size }
  }

  async leave(member: string): Promise<void> {
    await this.#options.redis.send(holdersPart, ['ZREM', this.#holdersKey, member])
  }

  /** The replies; undefined when the part began anew, and nothing was done. */
  async #send(part: number, calls: readonly BudgetCall[], lessons: readonly Lesson[]): Promise<readonly BudgetReply[] | undefined> {
    const message = new BudgetMessage(this.#epochKeys[part], this.#epochs[part], this.#holder, ({ id, place }) => {
      return this.#prefixes[budgetPartOf(place)] + id
    })
    for (const lesson of lessons) message.teach(lesson)
    for (const call of calls) message.call(call)
    const { redis, time } = this.#options
    const given = await redis.run(part, budgetScript, message.keys, [time(), message.text], (late) => this.#undo(part, calls, late))
    const answer = readBudgetAnswer(calls, given)
    if (!('epoch' in answer)) return answer
    this.#beginAnew(part, answer.epoch, answer.ageMs)
    return undefined
  }

  /** Nobody waits any more for what was granted. Places are not given back one by one: their holder says how many it has. */
  #undo(part: number, calls: readonly BudgetCall[], late: unknown): void {
    const answer = readBudgetAnswer(calls, late)
    if ('epoch' in answer) return
    const credits = creditsOf(calls, answer)
    if (credits.length > 0) this.run(part, credits).catch(() => undefined)
  }

  #beginAnew(part: number, epoch: number, ageMs: number): void {
    // Two messages may have been under way.
    if (epoch === this.#epochs[part]) return
    this.#epochs[part] = epoch
    const taken = this.#memory.take(({ place }) => this.partOf(place) === part)
    for (const [id, recollection] of taken) this.#untold.set(id, recollection)
    this.#options.forgot(Math.max(0, learningMs - ageMs))
    if (!this.#isTelling) void this.#tell()
  }

  async #tell(): Promise<void> {
    this.#isTelling = true
    try {
      while (this.#untold.size > 0) {
        const [first] = this.#untold.values()
        const part = this.partOf(first.level.place)
        const levels: BudgetCall['levels'][number][] = []
        for (const { level } of this.#untold.values()) {
          if (this.partOf(level.place) === part) levels.push(level)
          if (levels.length === lessonsAtOnce) break
        }
        await this.run(part, [{ verb: 'peek', count: 1, levels }])
      }
    } catch {
      // It does not answer: what is untold is told with what is asked, and at the next beginning.
    } finally {
      this.#isTelling = false
    }
  }

  #lessonsFor(calls: readonly BudgetCall[]): Lesson[] {
    const lessons: Lesson[] = []
    const now = this.#options.clock.monotonic()
    const ids = new Set<string>()
    for (const { levels } of calls) {
      for (const { id } of levels) {
        const recollection = this.#untold.get(id)
        if (recollection === undefined || ids.has(id)) continue
        ids.add(id)
        const { level, used, wholeAt } = recollection
        const resetMs = Math.floor(wholeAt - now)
        if (resetMs > 0) lessons.push({ level, used, resetMs })
        else this.#untold.delete(id)
      }
    }
    return lessons
  }

  #told(lessons: readonly Lesson[]): void {
    for (const { level } of lessons) this.#untold.delete(level.id)
  }

  #remember(calls: readonly BudgetCall[], replies: readonly BudgetReply[]): void {
    for (let i = 0; i < calls.length; i++) {
      const { levels } = calls[i]
      for (let j = 0; j < levels.length; j++) this.#memory.saw(levels[j], replies[i].levels[j])
    }
  }
}

/** What gives back what these calls were granted. */
export function creditsOf(calls: readonly BudgetCall[], replies: readonly (BudgetReply | undefined)[]): BudgetCall[] {
  const credits: BudgetCall[] = []
  for (const [i, { verb, levels }] of calls.entries()) {
    const count = verb === 'charge' ? (replies[i]?.granted ?? 0) : 0
    const returned = count === 0 ? [] : levels.filter(({ kind }) => kind !== 'concurrency')
    if (returned.length > 0) credits.push({ verb: 'credit', count, levels: returned })
  }
  return credits
}
