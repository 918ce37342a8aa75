import { createRequire } from 'node:module'
import { extname } from 'node:path'

/**
 * A module of this program that the first call loads, at once: what few configurations need costs the others neither time nor
 * memory. `from` is the `import.meta.url` of who asks; `path` is relative to it and has no extension.
 */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- what stands at a path only the caller knows
export function lazily<T>(from: string, path: string): () => T {
  let loaded: T | undefined
  // Sources run as .ts, the published package as .js.
  return () => (loaded ??= createRequire(from)(`${path}${extname(from)}`) as T)
}
