/** What a hash of a password costs (argon2id, RFC 9106). */
export interface HashCost {
  readonly memoryKib: number
  readonly passes: number
  readonly lanes: number
}

const pattern = /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,3}),p=(\d{1,2})\$[A-Za-z0-9+/]{11,}\$[A-Za-z0-9+/]{20,}$/

/** The cost of a stored hash (PHC string); undefined for what is no hash of ours. */
export function hashCostOf(phc: string): HashCost | undefined {
  const match = pattern.exec(phc)
  return match === null ? undefined : { memoryKib: Number(match[1]), passes: Number(match[2]), lanes: Number(match[3]) }
}

/** Whether a stored hash was made at another cost than is wanted now, and should be made anew when its password is known. */
export function isOtherCost(phc: string, wanted: HashCost): boolean {
  const had = hashCostOf(phc)
  return had === undefined || had.memoryKib !== wanted.memoryKib || had.passes !== wanted.passes || had.lanes !== wanted.lanes
}
