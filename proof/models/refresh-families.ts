import assert from 'node:assert/strict'
import type { Families } from '../../src/core/stores.ts'
import { identityWorld } from '../../test/support/identity-world.ts'
import { end, exploreRefreshes, refresh, refreshCases } from '../../test/support/refresh-model.ts'
import type { RefreshCase } from '../../test/support/refresh-model.ts'
import type { Promised } from '../support/promises.ts'
import { caught, holding } from './model.ts'

const largeCases: readonly RefreshCase[] = [
  ['the current token twice and the previous one', 1, [refresh(0), refresh(0), refresh(1)], undefined],
  ['a refresh, its retry, a grandparent and an end', 2, [refresh(0), refresh(0), refresh(2), end], true],
]

/** Gives a retry the token that it brought, instead of the one that the first has. */
function retriesRotate(families: Families): void {
  const rotate = families.rotate.bind(families)
  families.rotate = async (rotation) => {
    const outcome = await rotate(rotation)
    return outcome.kind === 'replayed' ? { ...outcome, sealed: rotation.sealed } : outcome
  }
}

/** Reads and then ends, and lets it be when a rotation came between. */
function endsGiveWay(families: Families): void {
  const endNow = families.end.bind(families)
  families.end = async (id, reason, notice) => {
    const before = await families.get(id)
    const now = await families.get(id)
    return before?.rotations === now?.rotations ? endNow(id, reason, notice) : now
  }
}

/** Refresh tokens of two nodes on one store: `src/identity` and the rotation of `src/stores`, each call to the store a step. */
export async function refreshFamilies(isLean: boolean): Promise<readonly Promised[]> {
  const promised = 'one successor per token; an end stays; reuse ends the family; else the newest token works'
  const lines: Promised[] = []
  for (const refreshCase of isLean ? refreshCases.slice(0, 3) : [...refreshCases, ...largeCases]) {
    lines.push(await holding(refreshCase[0], promised, () => explored(refreshCase)))
  }
  const [twice, , againstEnd] = refreshCases
  lines.push(
    await caught('gives a retry a successor of its own', () => explored(twice, retriesRotate)),
    await caught('ends a family in two steps', () => explored(againstEnd, endsGiveWay)),
  )
  return lines
}

async function explored(refreshCase: RefreshCase, mutate: (families: Families) => void = () => {}): Promise<string> {
  const [name, , , isEnded] = refreshCase
  const world = await identityWorld()
  try {
    const nodes = [await world.worker(), await world.worker()]
    for (const { stores } of nodes) mutate(stores.families)
    const { count, ends } = await exploreRefreshes(world, nodes, refreshCase)
    assert.deepEqual(ends, new Set(isEnded === undefined ? [false, true] : [isEnded]), 'the family ends when it has to')
    return `${count} interleavings of ${name}`
  } finally {
    await world.close()
  }
}
