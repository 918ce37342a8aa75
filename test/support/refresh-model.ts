import assert from 'node:assert/strict'
import type { IssuedTokens, RefreshRefusal } from '../../src/identity/token-families.ts'
import type { IdentityWorld, WorkerWorld } from './identity-world.ts'
import { everyInterleaving } from './interleavings.ts'
import type { Steps } from './interleavings.ts'

/** What a client may do at any moment. `age` 0 is the newest token it has, 1 the one before … */
export type Act = { readonly kind: 'refresh'; readonly age: number } | { readonly kind: 'end' }

/** Acts at one time on a family that was rotated so often before, and whether it has ended then; undefined: either way. */
export type RefreshCase = readonly [name: string, rotations: number, acts: readonly Act[], isEnded: boolean | undefined]

interface Done {
  readonly act: Act
  readonly presented: string
  readonly result: IssuedTokens | RefreshRefusal | boolean
  readonly beganAt: number
  readonly endedAt: number
}

/** The protocol under one schedule, and what must be true whatever the schedule was. */
export class RefreshRun {
  readonly #world: IdentityWorld
  readonly #nodes: readonly WorkerWorld[]
  /** Every refresh token that was ever issued, the newest last. */
  readonly tokens: string[]
  readonly family: string
  readonly history: Done[] = []
  #moment = 0

  private constructor(world: IdentityWorld, nodes: readonly WorkerWorld[], first: IssuedTokens) {
    this.#world = world
    this.#nodes = nodes
    this.tokens = [first.refreshToken]
    this.family = first.family
  }

  /** A family that was rotated so often already. */
  static async begun(world: IdentityWorld, nodes: readonly WorkerWorld[], rotations: number): Promise<RefreshRun> {
    for (const { stores } of nodes) stores.before = undefined
    const run = new RefreshRun(world, nodes, await nodes[0].parts.families.start(await world.login(), 'body', nodes[0].exchange()))
    for (let i = 0; i < rotations; i++)
      run.tokens.push(((await run.#refresh(nodes[0], run.tokens.at(-1)!)) as IssuedTokens).refreshToken)
    return run
  }

  /** Acts all at once, each on one of the nodes, with every call to the store being a step of the schedule. */
  async act(acts: readonly Act[], steps: Steps): Promise<void> {
    const gated = (verb: string): Promise<void> | undefined =>
      verb.startsWith('families.') || verb.startsWith('generations.') || verb === 'records.get' ? steps.wait() : undefined
    for (const { stores } of this.#nodes) stores.before = gated
    const known = [...this.tokens]
    await steps.run(
      acts.map((act, i) => async () => {
        const node = this.#nodes[i % this.#nodes.length]
        const presented = known[Math.max(0, known.length - 1 - (act.kind === 'end' ? 0 : act.age))]
        const beganAt = ++this.#moment
        const result = act.kind === 'end' ? await node.parts.families.end(presented) : await this.#refresh(node, presented)
        if (typeof result === 'object' && !this.tokens.includes(result.refreshToken)) this.tokens.push(result.refreshToken)
        this.history.push({ act, presented, result, beganAt, endedAt: ++this.#moment })
      }),
    )
    for (const { stores } of this.#nodes) stores.before = undefined
  }

  /** Throws when something is not so that must be so after any schedule. */
  async check(): Promise<void> {
    const family = (await this.#world.stores.families.get(this.family))!
    const successors = new Map<string, Set<string>>()
    for (const { presented, result } of this.history) {
      if (typeof result !== 'object') continue
      successors.set(presented, (successors.get(presented) ?? new Set()).add(result.refreshToken))
    }
    for (const [, given] of successors) assert.equal(given.size, 1, 'one token has one successor')
    const all = [...successors.values()].flatMap((given) => Array.from(given))
    assert.equal(new Set(all).size, all.length, 'two tokens never have the same successor')
    assert.ok(this.tokens.length - 1 <= family.rotations, 'nothing is issued that was not rotated to')

    const ends = this.history.filter(({ act, result }) => act.kind === 'end' && result === true)
    for (const end of ends) {
      for (const { act, result, beganAt } of this.history) {
        if (act.kind === 'refresh' && beganAt > end.endedAt) assert.equal(result, 'invalid', 'nothing begins after an end')
      }
    }
    const hasEnded = family.ended !== undefined
    assert.equal(ends.length > 0 && !hasEnded, false, 'an end stays')
    // Whatever was issued on the way, in any order: of an ended family nothing is believed, of a living one exactly the newest works.
    for (const node of this.#nodes) {
      for (const { result } of this.history) {
        if (typeof result === 'object') assert.equal((await node.ask({ bearer: result.accessToken })).status, hasEnded ? 401 : 200)
      }
    }
    const newest = await this.#refresh(this.#nodes[0], this.tokens.at(-1)!)
    assert.equal(newest === 'invalid', hasEnded, hasEnded ? 'an ended family gives nothing' : 'whoever behaved can go on')
  }

  async #refresh(node: WorkerWorld, token: string): Promise<IssuedTokens | RefreshRefusal> {
    return node.parts.families.refresh(token, 'body', node.exchange())
  }
}

/** A use of a token of that age. */
export const refresh = (age: number): Act => ({ kind: 'refresh', age })
/** The family's end, by its newest token. */
export const end: Act = { kind: 'end' }

/** Everything that two or three acts at one time can be. */
export const refreshCases: readonly RefreshCase[] = [
  ['two refreshes of the same token', 0, [refresh(0), refresh(0)], false],
  ['a refresh and a retry of the one before', 1, [refresh(1), refresh(1)], false],
  ['a refresh against an end', 0, [refresh(0), end], true],
  ['two refreshes against an end', 0, [refresh(0), refresh(0), end], true],
  ['a refresh against a grandparent', 2, [refresh(0), refresh(2)], true],
  // The retry of the previous token is a reuse when the current one was rotated first.
  ['the current and the previous token', 1, [refresh(0), refresh(1)], undefined],
]

/** Runs a case under every schedule; how many there were, and the ways in which the family ended up. Throws on a break. */
export async function exploreRefreshes(
  world: IdentityWorld,
  nodes: readonly WorkerWorld[],
  [, rotations, acts]: RefreshCase,
): Promise<{ count: number; ends: ReadonlySet<boolean> }> {
  const ends = new Set<boolean>()
  const count = await everyInterleaving(async (steps) => {
    const run = await RefreshRun.begun(world, nodes, rotations)
    await run.act(acts, steps)
    ends.add((await world.stores.families.get(run.family))!.ended !== undefined)
    await run.check()
  })
  return { count, ends }
}
