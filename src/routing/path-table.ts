import type { PathPattern } from './path-pattern.ts'

/** A place in the tree of patterns: what may come next, and what ends here. Absent parts cost nothing. */
export interface PathNode<L> {
  literals: Map<string, PathNode<L>> | undefined
  one: PathNode<L> | undefined
  /** Leaves of patterns that end here, in the order in which they are tried. */
  ends: L[] | undefined
  /** Of patterns that end here or one segment further. */
  optional: L[] | undefined
  /** Of patterns that take whatever follows. */
  rest: L[] | undefined
}

/** The patterns of one host: those without parameters by their whole path, the others as a tree of segments. */
export interface PathTable<L> {
  readonly exact: Map<string, L[]>
  root: PathNode<L> | undefined
}

export function newPathTable<L>(): PathTable<L> {
  return { exact: new Map(), root: undefined }
}

/** Adds a leaf. Leaves of one place keep the order in which they are added. */
export function addPattern<L>(table: PathTable<L>, pattern: PathPattern, leaf: L): void {
  const { segments } = pattern
  if (segments.every((segment) => segment.kind === 'literal')) {
    const path = `/${segments.map((segment) => segment.text).join('/')}`
    const leaves = table.exact.get(path)
    if (leaves === undefined) table.exact.set(path, [leaf])
    else leaves.push(leaf)
    return
  }
  let node = (table.root ??= newNode())
  for (const segment of segments) {
    if (segment.kind === 'optional') {
      ;(node.optional ??= []).push(leaf)
      return
    }
    if (segment.kind === 'rest') {
      ;(node.rest ??= []).push(leaf)
      return
    }
    if (segment.kind === 'one') {
      node = node.one ??= newNode()
    } else {
      const literals = (node.literals ??= new Map<string, PathNode<L>>())
      let next = literals.get(segment.text)
      if (next === undefined) {
        next = newNode()
        literals.set(segment.text, next)
      }
      node = next
    }
  }
  ;(node.ends ??= []).push(leaf)
}

function newNode<L>(): PathNode<L> {
  return { literals: undefined, one: undefined, ends: undefined, optional: undefined, rest: undefined }
}
