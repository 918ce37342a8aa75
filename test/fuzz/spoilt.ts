import fc from 'fast-check'

/** Characters that parsers of HTTP, URLs and lists trip over. */
const nasty = '\0\t\n\r "#%&\'()*+,-./0123:;<=>?@AZ[\\]^_`az{|}~\x7f\x80\xa0\xff'.split('')

/** One change of a text, at a place that is scaled to its length. */
export type Edit =
  | { readonly kind: 'insert' | 'replace'; readonly at: number; readonly text: string }
  | { readonly kind: 'remove' | 'repeat'; readonly at: number; readonly length: number }
  | { readonly kind: 'graft'; readonly at: number; readonly other: string; readonly from: number }
  | { readonly kind: 'case'; readonly at: number }

/**
 * Texts near the good ones: seeds changed in up to four places by characters and `words` that matter to their parser, and
 * texts of such words alone. Small cases are seeds with fewer changes.
 */
export function spoilt(seeds: readonly string[], words: readonly string[] = []): fc.Arbitrary<string> {
  const changed = fc.tuple(fc.constantFrom(...seeds), edits(seeds, words)).map(([seed, made]) => edited(seed, made))
  const mixed = fc.array(wordOf(words), { maxLength: 12 }).map((parts) => parts.join(''))
  return fc.oneof({ weight: 5, arbitrary: changed }, { weight: 1, arbitrary: mixed })
}

/** Changes for a text that is not known yet, by such words and by the ends of `seeds`. */
export function edits(seeds: readonly string[], words: readonly string[] = [], maxLength = 4): fc.Arbitrary<Edit[]> {
  const at = fc.nat(0xffff)
  const edit: fc.Arbitrary<Edit> = fc.oneof(
    fc.record({ kind: fc.constantFrom('insert' as const, 'replace' as const), at, text: wordOf(words) }),
    fc.record({ kind: fc.constantFrom('remove' as const, 'repeat' as const), at, length: fc.integer({ min: 1, max: 12 }) }),
    fc.record({ kind: fc.constant('graft' as const), at, other: fc.constantFrom(...seeds), from: at }),
    fc.record({ kind: fc.constant('case' as const), at }),
  )
  return fc.array(edit, { maxLength })
}

/** The text with these changes made, one after the other. */
export function edited(text: string, made: readonly Edit[]): string {
  return made.reduce(applied, text)
}

function wordOf(words: readonly string[]): fc.Arbitrary<string> {
  return words.length === 0 ? fc.constantFrom(...nasty) : fc.oneof(fc.constantFrom(...nasty), fc.constantFrom(...words))
}

/** The same for bytes, given and kept as latin1. */
export function spoiltBytes(seeds: readonly Uint8Array[], words: readonly string[] = []): fc.Arbitrary<Buffer> {
  const texts = seeds.map((seed) => Buffer.from(seed).toString('latin1'))
  return fc.oneof(
    { weight: 6, arbitrary: spoilt(texts, words).map((text) => Buffer.from(text, 'latin1')) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes)) },
  )
}

/** Places to cut a text of unknown length: fractions, to be scaled by `cutsOf`. */
export const cutFractions = fc.array(fc.nat(0xffff), { maxLength: 6 })

/** Places from 0 to `length`, ascending. */
export function cutsOf(fractions: readonly number[], length: number): number[] {
  return fractions.map((fraction) => scaled(fraction, length)).toSorted((a, b) => a - b)
}

function scaled(fraction: number, length: number): number {
  return Math.floor((fraction * (length + 1)) / 0x10000)
}

function applied(text: string, edit: Edit): string {
  const at = scaled(edit.at, text.length)
  switch (edit.kind) {
    case 'insert':
      return text.slice(0, at) + edit.text + text.slice(at)
    case 'replace':
      return text.slice(0, at) + edit.text + text.slice(at + 1)
    case 'remove':
      return text.slice(0, at) + text.slice(at + edit.length)
    case 'repeat':
      return text.slice(0, at + edit.length) + text.slice(at)
    case 'graft':
      return text.slice(0, at) + edit.other.slice(scaled(edit.from, edit.other.length))
    default: {
      const char = text[at] ?? ''
      const other = /[A-Z]/.test(char) ? char.toLowerCase() : /[a-z]/.test(char) ? char.toUpperCase() : char
      return text.slice(0, at) + other + text.slice(at + 1)
    }
  }
}
