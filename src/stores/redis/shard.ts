/** Into how many parts a store's data is divided, so that a cluster can spread it. Part of the stored layout: never changes. */
export const shardCount = 16

/** The part that a text belongs to, 0 to 15 (FNV-1a over UTF-16 code units). Part of the stored layout: never changes. */
export function shardOf(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  // The low bits of FNV mix worst; fold the high ones in.
  return ((hash >>> 16) ^ (hash >>> 8) ^ hash) & (shardCount - 1)
}
