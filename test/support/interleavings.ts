/** Steps that wait at a gate until a schedule lets them go on, one at a time. */
export class Steps {
  readonly #waiting: (() => void)[] = []
  readonly #choose: (count: number) => number

  /** `choose` says which of so many waiting steps goes on. */
  constructor(choose: (count: number) => number) {
    this.#choose = choose
  }

  /** What a step does before it goes on. */
  wait(): Promise<void> {
    return new Promise((resolve) => void this.#waiting.push(resolve))
  }

  /** Runs tasks to their end, letting one waiting step after the other go on. */
  async run<T>(tasks: readonly (() => Promise<T>)[]): Promise<T[]> {
    let isDone = false
    const all = Promise.all(tasks.map((task) => task())).finally(() => {
      isDone = true
    })
    for (;;) {
      await new Promise((resolve) => setImmediate(resolve))
      if (this.#waiting.length > 0) this.#waiting.splice(this.#choose(this.#waiting.length), 1)[0]()
      else if (isDone) return all
    }
  }
}

/**
 * Runs something under every schedule there is: each run makes the choices of the one before up to the last one that
 * could still be made otherwise. Gives how many schedules there were.
 */
export async function everyInterleaving(run: (steps: Steps) => Promise<void>, limit = 100_000): Promise<number> {
  let path: { chosen: number; count: number }[] = []
  for (let runs = 1; ; runs++) {
    let at = 0
    await run(
      new Steps((count) => {
        const known = path[at]
        if (known === undefined) path.push({ chosen: 0, count })
        return path[at++].chosen
      }),
    )
    path = path.slice(0, at)
    while (path.length > 0 && path.at(-1)!.chosen + 1 >= path.at(-1)!.count) path.pop()
    if (path.length === 0) return runs
    path.at(-1)!.chosen++
    if (runs >= limit) throw new Error(`more than ${limit} schedules`)
  }
}
