import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

/** The environment's word for the folder into which the collector writes. */
export const leftFolderVariable = 'VELUM_SOAK_LEFT'
export const collectEveryMs = 60_000

/**
 * What threads held after their latest collection, in bytes, as the collector wrote it down; nothing until each of the
 * `workers` has collected, since sums of fewer would be taken for growth.
 */
export function leftMemory(folder: string, workers: number): Record<string, number> {
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => !name.includes('.')) : []
  if (names.length < workers + 1) return {}
  const found: Record<string, number> = {}
  for (const name of names) {
    const [heap, external] = readFileSync(join(folder, name), 'utf8').split(' ').map(Number)
    const who = name === 'main' ? 'main' : 'workers'
    found[`heap left of ${who}`] = (found[`heap left of ${who}`] ?? 0) + heap
    found[`external memory left of ${who}`] = (found[`external memory left of ${who}`] ?? 0) + external
  }
  return found
}
