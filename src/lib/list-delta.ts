/** Some of a list that is told by an earlier one: a stretch that stands there as it is, or a piece of what is new. */
export type DeltaPart<Piece> = { readonly from: number; readonly count: number } | { readonly fresh: Piece }

/** A list told by an earlier one. */
export type ListDelta<Piece> = readonly DeltaPart<Piece>[]

const pieceLength = 32

/**
 * Tells a list by what of it (the same objects) stood in an earlier one, however it was moved, and by pieces of at most 32 new
 * ones. A step for each part.
 */
export function* telling<T extends object, Piece>(
  list: readonly T[],
  before: readonly T[],
  pack: (items: readonly T[]) => Piece,
  tell: (part: DeltaPart<Piece>) => void,
): Generator<void, void, void> {
  let places: Map<T, number> | undefined
  const placeOf = (item: T): number | undefined => (places ??= new Map(before.map((other, i) => [other, i]))).get(item)
  /** Where the next one would stand if nothing was moved. */
  let expected = 0
  let i = 0
  while (i < list.length) {
    const start = i
    const from = before[expected] === list[i] ? expected : placeOf(list[i])
    if (from === undefined) {
      do i++
      while (
        i < list.length &&
        i - start < pieceLength &&
        before[expected + i - start] !== list[i] &&
        placeOf(list[i]) === undefined
      )
      expected += i - start
      tell({ fresh: pack(list.slice(start, i)) })
    } else {
      do i++
      while (i < list.length && before[from + i - start] === list[i])
      expected = from + i - start
      tell({ from, count: i - start })
    }
    yield
  }
}

/** The list that was told. A step for each part. */
export function* toldBy<T, Piece>(
  delta: ListDelta<Piece>,
  before: readonly T[],
  unpack: (piece: Piece) => readonly T[],
): Generator<void, T[], void> {
  const list: T[] = []
  for (const part of delta) {
    if ('fresh' in part) for (const item of unpack(part.fresh)) list.push(item)
    else for (let i = 0; i < part.count; i++) list.push(before[part.from + i])
    yield
  }
  return list
}
