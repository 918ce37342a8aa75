/** How a store writes Infinity: the largest whole number that every one of them, and Lua, keeps exactly. */
export const never = Number.MAX_SAFE_INTEGER

/** A time for a store that knows whole numbers only. */
export function storedTime(ms: number): number {
  return ms >= never ? never : Math.floor(ms)
}

/** The time that was stored. */
export function timeFromStored(stored: number): number {
  return stored >= never ? Infinity : stored
}
