import fc from 'fast-check'

/** One change of the structure of a document, at a place that is scaled to how many it has. */
type Alteration =
  | { readonly kind: 'drop' | 'double'; readonly at: number }
  | { readonly kind: 'put'; readonly at: number; readonly value: unknown }
  | { readonly kind: 'add' | 'rename'; readonly at: number; readonly name: string; readonly value: unknown }
  | { readonly kind: 'copy'; readonly at: number; readonly from: number; readonly other: unknown }

/** What no schema expects, of each kind that JSON has. */
const odd: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -1,
  0.5,
  1e308,
  2 ** 53,
  '',
  ' ',
  '\0',
  'x',
  'x'.repeat(5000),
  '\u{1f600}\ud800',
  [],
  {},
  [null],
  [[]],
  [{}],
  { x: null },
]
const oddNames: readonly string[] = ['__proto__', 'constructor', 'toString', 'length', '', '0', 'x', 'a.b', '$ref']

/**
 * Documents near the good ones: `seeds` (plain data) with up to three members left out, put otherwise, renamed, doubled, or
 * copied from elsewhere. `values` and `names` are those that matter to whoever reads them.
 */
export function altered(seeds: readonly unknown[], values: readonly unknown[], names: readonly string[]): fc.Arbitrary<unknown> {
  const at = fc.nat(0xffff)
  const value = fc.constantFrom<unknown[]>(...odd, ...values)
  const name = fc.constantFrom(...oddNames, ...names)
  const alteration: fc.Arbitrary<Alteration> = fc.oneof(
    fc.record({ kind: fc.constantFrom('drop' as const, 'double' as const), at }),
    fc.record({ kind: fc.constant('put' as const), at, value }),
    fc.record({ kind: fc.constantFrom('add' as const, 'rename' as const), at, name, value }),
    fc.record({ kind: fc.constant('copy' as const), at, from: at, other: fc.constantFrom<unknown[]>(...seeds) }),
  )
  return fc
    .tuple(fc.constantFrom<unknown[]>(...seeds), fc.array(alteration, { minLength: 1, maxLength: 3 }))
    .map(([seed, made]) => {
      const root = { document: structuredClone(seed) }
      for (const one of made) alter(root, one)
      return root.document
    })
}

interface Place {
  readonly holder: Record<string, unknown> | unknown[]
  readonly key: string
}

function alter(root: { document: unknown }, made: Alteration): void {
  const { holder, key } = placeIn(root, made.at)
  switch (made.kind) {
    case 'drop':
      if (Array.isArray(holder)) holder.splice(Number(key), 1)
      else if (holder !== root) delete holder[key]
      return
    case 'double':
      if (Array.isArray(holder)) holder.splice(Number(key), 0, structuredClone(holder[Number(key)]))
      else put(holder, `${key}2`, structuredClone(holder[key]))
      return
    case 'put':
      put(holder, key, structuredClone(made.value))
      return
    case 'add': {
      const here = (holder as Record<string, unknown>)[key]
      put(typeof here === 'object' && here !== null ? here : holder, made.name, structuredClone(made.value))
      return
    }
    case 'rename': {
      if (Array.isArray(holder) || holder === root) return
      const value = holder[key]
      delete holder[key]
      put(holder, made.name, value)
      return
    }
    default: {
      const from = placeIn({ document: made.other }, made.from)
      put(holder, key, structuredClone((from.holder as Record<string, unknown>)[from.key]))
    }
  }
}

function placeIn(root: Record<'document', unknown>, at: number): Place {
  const places: Place[] = []
  const walk = (holder: Place['holder'], key: string): void => {
    places.push({ holder, key })
    const value = (holder as Record<string, unknown>)[key]
    if (typeof value !== 'object' || value === null) return
    for (const name of Object.keys(value)) walk(value as Place['holder'], name)
  }
  walk(root, 'document')
  return places[Math.floor((at * places.length) / 0x10000)]
}

/** Defined, not assigned: a member called __proto__ must be a member. In a list a name that is no index adds an item. */
function put(holder: object, name: string, value: unknown): void {
  if (Array.isArray(holder) && !(name in holder && name !== 'length')) holder.push(value)
  else Object.defineProperty(holder, name, { value, enumerable: true, writable: true, configurable: true })
}
