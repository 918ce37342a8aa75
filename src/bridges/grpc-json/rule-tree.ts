import type { PathTemplate } from './path-template.ts'

/** What a path leads to: one leaf for each HTTP method. */
interface Leaf<T> {
  readonly template: PathTemplate
  readonly byMethod: Map<string, Entry<T>>
}

interface Entry<T> {
  readonly template: PathTemplate
  readonly value: T
}

interface Node<T> {
  readonly literals: Map<string, Node<T>>
  one: Node<T> | undefined
  /** Leaves of what ends here, and of what ends in `**` from here, by verb. */
  readonly ends: Map<string, Leaf<T>>
  readonly rests: Map<string, Leaf<T>>
}

/** A rule that fits a request, and the raw text of its variables in the template's order. */
export interface RuleHit<T> {
  readonly value: T
  readonly variables: readonly string[]
}

/** No rule has this method, though some have the path. */
export interface WrongMethod {
  readonly allowed: readonly string[]
}

/**
 * Rules by path: segment by segment a literal comes before `*` before `**`, with backtracking, so that a rule is found
 * whenever there is one. Matching is on the raw path; a verb is told from a value only where a rule has that verb.
 */
export class RuleTree<T> {
  readonly #root: Node<T> = createNode()
  readonly #verbs = new Set<string>()

  /** Adds a rule; gives the value of one that no request could be told from it, which then stays. */
  add(method: string, template: PathTemplate, value: T): T | undefined {
    let node = this.#root
    let leaves = node.ends
    for (const segment of template.segments) {
      if (segment.kind === 'rest') {
        leaves = node.rests
        break
      }
      if (segment.kind === 'one') node = node.one ??= createNode()
      else {
        let next = node.literals.get(segment.text)
        if (next === undefined) node.literals.set(segment.text, (next = createNode()))
        node = next
      }
      leaves = node.ends
    }
    let leaf = leaves.get(template.verb)
    if (leaf === undefined) leaves.set(template.verb, (leaf = { template, byMethod: new Map() }))
    const same = leaf.byMethod.get(method)
    if (same !== undefined) return same.value
    leaf.byMethod.set(method, { template, value })
    if (template.verb !== '') this.#verbs.add(template.verb)
    return undefined
  }

  /** The rule for a request; undefined when no rule has its path. */
  match(method: string, path: string): RuleHit<T> | WrongMethod | undefined {
    const allowed = new Set<string>()
    const segments = path.slice(1).split('/')
    const last = segments.at(-1)!
    for (let colon = this.#verbs.size === 0 ? -1 : last.indexOf(':'); colon !== -1; colon = last.indexOf(':', colon + 1)) {
      const verb = last.slice(colon + 1)
      if (!this.#verbs.has(verb)) continue
      const hit = this.#hit(method, segments.with(segments.length - 1, last.slice(0, colon)), verb, allowed)
      if (hit !== undefined) return hit
    }
    return this.#hit(method, segments, '', allowed) ?? (allowed.size > 0 ? { allowed: [...allowed] } : undefined)
  }

  #hit(method: string, segments: readonly string[], verb: string, allowed: Set<string>): RuleHit<T> | undefined {
    if (segments.includes('')) return undefined
    const entry = find(this.#root, segments, 0, verb, method, allowed)
    if (entry === undefined) return undefined
    const variables = entry.template.variables.map(({ start, end }) => segments.slice(start, end).join('/'))
    return { value: entry.value, variables }
  }
}

function createNode<T>(): Node<T> {
  return { literals: new Map(), one: undefined, ends: new Map(), rests: new Map() }
}

function find<T>(
  node: Node<T>,
  segments: readonly string[],
  at: number,
  verb: string,
  method: string,
  allowed: Set<string>,
): Entry<T> | undefined {
  if (at === segments.length) {
    const ended = entryFor(node.ends.get(verb), method, allowed)
    if (ended !== undefined) return ended
  } else {
    const literal = node.literals.get(segments[at])
    const found =
      (literal === undefined ? undefined : find(literal, segments, at + 1, verb, method, allowed)) ??
      (node.one === undefined ? undefined : find(node.one, segments, at + 1, verb, method, allowed))
    if (found !== undefined) return found
  }
  return entryFor(node.rests.get(verb), method, allowed)
}

function entryFor<T>(leaf: Leaf<T> | undefined, method: string, allowed: Set<string>): Entry<T> | undefined {
  if (leaf === undefined) return undefined
  const { byMethod } = leaf
  const entry = byMethod.get(method) ?? (method === 'HEAD' ? byMethod.get('GET') : undefined) ?? byMethod.get('*')
  if (entry === undefined) for (const known of byMethod.keys()) allowed.add(known)
  return entry
}
