import { Kind } from 'graphql'
import type { DocumentNode, FieldNode, OperationDefinitionNode, SelectionSetNode } from 'graphql'
import { callCost, fragmentsOf, givenValues, maxVisits, objectCost, sizeOf } from './operation-limits.ts'
import type { GraphqlLimits } from './options.ts'

/**
 * The cost of an operation whose schema is not known: a field at the root 10, one with fields of its own 1, times what the
 * arguments around it say of the lengths of lists. A list of which no argument speaks counts once. Infinity: over the limit.
 */
export function formCost(
  document: DocumentNode,
  operation: OperationDefinitionNode,
  variables: Readonly<Record<string, unknown>>,
  { cost: most }: GraphqlLimits,
): number {
  const fragments = fragmentsOf(document)
  const given = givenValues(operation, variables)
  let cost = 0
  let visits = 0

  const walk = (set: SelectionSetNode, times: number, isRoot: boolean): void => {
    for (const selection of set.selections) {
      if (cost > most || ++visits > maxVisits) return
      if (selection.kind === Kind.FIELD) field(selection, times, isRoot)
      else {
        const inner = selection.kind === Kind.INLINE_FRAGMENT ? selection : fragments.get(selection.name.value)
        if (inner !== undefined) walk(inner.selectionSet, times, isRoot)
      }
    }
  }
  const field = (node: FieldNode, times: number, isRoot: boolean): void => {
    if (isRoot) cost += callCost
    if (node.selectionSet === undefined) return
    const here = times * (sizeOf(node, given) ?? 1)
    cost += objectCost * here
    walk(node.selectionSet, here, false)
  }
  walk(operation.selectionSet, 1, true)
  return visits > maxVisits || cost > most ? Infinity : cost
}
