/**
 * Where budgets lie. Each belongs to one of 64 parts by a hash of its place (a tenant, or what else it is counted by), and
 * every key of a part carries its tag, so that in a Redis Cluster what shares a place lies in one slot. Part i lies in the
 * slots from 256·i to 256·i + 255, so that equal ranges of slots hold equally many. All of this is part of the stored layout.
 *
 * | key | holds |
 * |---|---|
 * | `velum:{tag}:budget:GATEWAY:ID` | a text of numbers: algorithm, three parameters, state (`budget-script`) |
 * | `velum:{tag}:budget-epoch:GATEWAY` | when the part was first used, by the server's clock: a new one tells that all was forgotten |
 * | `velum:{ban}:budget-holders:GATEWAY` | sorted set of the holders by when they were last heard |
 * | `velum:{tag}:budget-probe` | nothing, ever |
 */
const tags =
  'ban by7 bqb bnv bbc bbk bro bj6 bxa bgu bhm bp4 bdp bc5 bs1 bs9 bop box bx1 bx9 bsa bk8 bcm b8q bic bvw byo ba6 bjn br7 bzb bev bow bg3 bof bpr b8o bcs blk bt2 bfe byq bvi bn0 beh b99 bud bjp bnh bv1 bax bap bme brq b9a be0 bwg bhs bgk bgc btj bl3 bdf b87'.split(
    ' ',
  )

const prefixes = tags.map((tag) => `velum:{${tag}}:`)

/** A key in each part that holds nothing, to find out whether the part can be written. */
export const budgetProbes: readonly string[] = prefixes.map((prefix) => `${prefix}budget-probe`)

/** The part that a place belongs to (FNV-1a over UTF-16 code units). */
export function budgetPartOf(place: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < place.length; i++) hash = Math.imul(hash ^ place.charCodeAt(i), 0x01000193)
  // The low bits of FNV mix worst; fold the high ones in.
  return ((hash >>> 16) ^ (hash >>> 8) ^ hash) & (tags.length - 1)
}

/** What the keys of a gateway's budgets begin with, by part. */
export function budgetPrefixes(gateway: string): readonly string[] {
  return prefixes.map((prefix) => `${prefix}budget:${gateway}:`)
}

/** The key of each part's epoch. */
export function epochKeys(gateway: string): readonly string[] {
  return prefixes.map((prefix) => `${prefix}budget-epoch:${gateway}`)
}

/** The part and key of the holders. */
export const holdersPart = 0

export function holdersKey(gateway: string): string {
  return `${prefixes[holdersPart]}budget-holders:${gateway}`
}
