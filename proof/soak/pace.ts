import { setTimeout as sleep } from 'node:timers/promises'
import type { Activity, World } from './world.ts'
import { wordsOf } from './world.ts'

/** So many runs of one activity may be under way; further ones wait for their turn. */
const mostAtOnce = 64

/**
 * Runs each activity at its rate, spread by chance around it, until the world stops. Resolves when the last run is over.
 * A machine that is too slow gets fewer runs, not more at a time.
 */
export async function keepDoing(world: World, activities: readonly Activity[], factor: number): Promise<void> {
  await Promise.all(activities.map((activity) => repeat(world, activity, activity.perSecond * factor)))
}

async function repeat(world: World, activity: Activity, perSecond: number): Promise<void> {
  const running = new Set<Promise<void>>()
  await sleep((Math.random() * 1000) / perSecond)
  while (!world.isStopping()) {
    const run = activity
      .run()
      .catch((thrown: unknown) => world.ledger.note(`${activity.name}: ${wordsOf(thrown)}`))
      .finally(() => running.delete(run))
    running.add(run)
    if (running.size >= mostAtOnce) await Promise.race(running)
    // Half to one and a half of the pause, so that activities do not march in step.
    await sleep(((0.5 + Math.random()) * 1000) / perSecond)
  }
  await Promise.all(running)
}
