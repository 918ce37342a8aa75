import { trimSpace } from '../lib/trim-space.ts'

/** Content codings that Velum makes, the best first. */
export const contentCodings = ['zstd', 'br', 'gzip'] as const
export type ContentCoding = (typeof contentCodings)[number]

/**
 * The coding to use of those offered, by what the client says (RFC 9110 §12.5.3): the one it likes best, and of equals the
 * first offered. Undefined: none, or it would rather have the content as it is.
 */
export function chooseCoding(accept: string | undefined, offered: readonly ContentCoding[]): ContentCoding | undefined {
  if (accept === undefined) return undefined
  const weights = new Map<string, number>()
  for (const part of accept.toLowerCase().split(',')) {
    const [name, ...parameters] = part.split(';').map(trimSpace)
    if (name === '') continue
    const coding = name === 'x-gzip' ? 'gzip' : name
    // Of one that is named twice, what refuses more is heard, as in the keys of the cache.
    weights.set(coding, Math.min(weightOf(parameters), weights.get(coding) ?? 1))
  }
  const any = weights.get('*')
  let chosen: ContentCoding | undefined
  let best = weights.get('identity') ?? 0
  for (const coding of offered) {
    const weight = weights.get(coding) ?? any ?? 0
    if (weight > 0 && (chosen === undefined ? weight >= best : weight > best)) {
      chosen = coding
      best = weight
    }
  }
  return chosen
}

/** A weight that cannot be read is none: the coding is not used. */
function weightOf(parameters: readonly string[]): number {
  const quality = parameters.find((parameter) => parameter.startsWith('q='))
  if (quality === undefined) return 1
  return /^q=(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.test(quality) ? Number(quality.slice(2)) : 0
}
