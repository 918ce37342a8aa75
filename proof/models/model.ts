import { AssertionError } from 'node:assert'
import type { Promised } from '../support/promises.ts'

/** A part of Velum whose every order of events is tried. `lean`: a bound that takes a second, for the tests. */
export type Model = (isLean: boolean) => Promise<readonly Promised[]>

/** What an exploration looked at, as `24 interleavings of two refreshes`. It throws an AssertionError at the first break. */
type Explore = () => Promise<string> | string

/** The line of the real code: it holds when the exploration came to its end. */
export async function holding(name: string, promised: string, explore: Explore): Promise<Promised> {
  try {
    return { done: await explore(), promised, seen: 'in all of them', holds: true }
  } catch (thrown) {
    return { done: name, promised, seen: `broken: ${wordsOf(thrown)}`, holds: false }
  }
}

/** The line of a variant known to be wrong: it holds when the exploration found it out, by what it asserts. */
export async function caught(mutant: string, explore: Explore): Promise<Promised> {
  const line = { done: `a mutant that ${mutant}`, promised: 'caught' }
  try {
    return { ...line, seen: `not caught in ${await explore()}`, holds: false }
  } catch (thrown) {
    return { ...line, seen: wordsOf(thrown), holds: thrown instanceof AssertionError }
  }
}

function wordsOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message.split('\n', 1)[0] : String(thrown)
}
