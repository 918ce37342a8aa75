import type { BenchOptions } from '../run.ts'

/**
 * Loads every contender until it is warm, then in turn, round by round; gives each one's samples. Compilers, pools and
 * memories come to what they are in service by requests, not by time.
 */
export async function interleaved<C, S extends { readonly requests: number }>(
  contenders: readonly C[],
  options: Pick<BenchOptions, 'rounds' | 'warmupRequests'>,
  load: (contender: C) => Promise<S>,
): Promise<ReadonlyMap<C, readonly S[]>> {
  const samples = new Map<C, S[]>(contenders.map((contender) => [contender, []]))
  for (const contender of contenders) {
    for (let requests = 0, turn = 0; requests < options.warmupRequests && turn < 8; turn++) {
      requests += (await load(contender)).requests
    }
  }
  for (let round = 0; round < options.rounds; round++) {
    // The next round the other way round: a machine that grows slower or quicker does so for all.
    for (const contender of round % 2 === 0 ? contenders : contenders.toReversed()) {
      samples.get(contender)!.push(await load(contender))
    }
  }
  return samples
}
