/** Values in order, equal ones as they were: a merge sort that yields at least every few hundred comparisons. */
export function* sorting<T>(values: readonly T[], compare: (a: T, b: T) => number): Generator<void, T[], void> {
  let runs: T[][] = []
  for (let from = 0; from < values.length; from += stretch) {
    runs.push(values.slice(from, from + stretch).sort(compare))
    yield
  }
  while (runs.length > 1) {
    const merged: T[][] = []
    for (let i = 0; i < runs.length; i += 2) {
      merged.push(i + 1 < runs.length ? yield* merging(runs[i], runs[i + 1], compare) : runs[i])
    }
    runs = merged
  }
  return runs[0] ?? []
}

const stretch = 64

function* merging<T>(left: readonly T[], right: readonly T[], compare: (a: T, b: T) => number): Generator<void, T[], void> {
  const merged: T[] = []
  let i = 0
  let j = 0
  while (i < left.length || j < right.length) {
    if (j === right.length || (i < left.length && compare(left[i], right[j]) <= 0)) merged.push(left[i++])
    else merged.push(right[j++])
    if (merged.length % stretch === 0) yield
  }
  return merged
}
