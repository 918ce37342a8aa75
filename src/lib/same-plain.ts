/**
 * Whether two values of plain data are the same in all that somebody could see of them: members in the same order, one that is
 * undefined is another thing than none, NaN equals itself.
 */
export function samePlain(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((item, i) => samePlain(item, b[i]))
  if (Array.isArray(b)) return false
  const names = Object.keys(a)
  const others = Object.keys(b)
  if (names.length !== others.length) return false
  const [left, right] = [a as Record<string, unknown>, b as Record<string, unknown>]
  // What needs no look inside first: where two large things differ, it often tells.
  for (let i = 0; i < names.length; i++) {
    const name = names[i]
    if (name !== others[i]) return false
    if (typeof left[name] !== 'object' && !Object.is(left[name], right[name])) return false
  }
  return names.every((name) => samePlain(left[name], right[name]))
}
