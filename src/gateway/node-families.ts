import type { Gateway } from './gateway.ts'
import type { Family } from './meter-totals.ts'
import { readFamily } from './process-families.ts'

/** How the workers of a node stand, and which configuration they serve. */
export function nodeFamilies(workers: Gateway['workers'], { number, hash, committedAt }: Gateway['generation']): readonly Family[] {
  return [
    readFamily('gauge', 'velum_workers', 'Worker threads that can serve.', [
      [{}, workers.filter(({ state }) => state === 'serving' || state === 'faulty').length],
    ]),
    readFamily(
      'gauge',
      'velum_worker_busy_ratio',
      'Share of time that the event loop of a worker was busy since the last reading.',
      workers.map(({ number: worker, utilization }) => [{ worker: String(worker) }, utilization]),
    ),
    readFamily('gauge', 'velum_generation', 'Configurations committed since the start; the label is the hash of the current one.', [
      [{ hash }, number],
    ]),
    readFamily('gauge', 'velum_generation_committed_seconds', 'When the current configuration was committed, since 1970.', [
      [{}, committedAt / 1000],
    ]),
  ]
}
