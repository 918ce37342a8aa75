import { GraphQLError, Kind, getNamedType, isCompositeType, isListType, isObjectType, valueFromASTUntyped } from 'graphql'
import type {
  DocumentNode,
  FieldNode,
  FragmentDefinitionNode,
  GraphQLObjectType,
  GraphQLOutputType,
  GraphQLSchema,
  OperationDefinitionNode,
  SelectionSetNode,
  ValueNode,
} from 'graphql'
import { requestError } from './errors.ts'
import type { GraphqlLimits } from './options.ts'

type LimitName = keyof GraphqlLimits

function tooMuch(limit: LimitName, words: string): GraphQLError {
  return requestError('OPERATION_LIMIT_EXCEEDED', words, { limit })
}

function twice(what: string): GraphQLError {
  return requestError('GRAPHQL_VALIDATION_FAILED', `Two ${what} have the same name.`)
}

/** What a selection set comes to with the fragments that are spread in it. */
interface Measure {
  readonly depth: number
  readonly aliases: number
  /** Fields of the set itself, those of fragments among them. */
  readonly fields: number
}

/**
 * Refuses a document by its form alone, before it is held against a schema: what is checked later may take a time that
 * grows faster than the document. Each fragment is measured once, so this takes a time as long as the document.
 */
export function formError(document: DocumentNode, limits: GraphqlLimits): GraphQLError | undefined {
  try {
    new FormJudge(document, limits).judge()
    return undefined
  } catch (thrown) {
    if (thrown instanceof GraphQLError) return thrown
    throw thrown
  }
}

/** The fragments of a document by name. */
export function fragmentsOf({ definitions }: DocumentNode): ReadonlyMap<string, FragmentDefinitionNode> {
  const fragments = new Map<string, FragmentDefinitionNode>()
  for (const definition of definitions)
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition)
  return fragments
}

class FormJudge {
  readonly #document: DocumentNode
  readonly #limits: GraphqlLimits
  readonly #fragments: ReadonlyMap<string, FragmentDefinitionNode>
  readonly #measured = new Map<string, Measure | 'open'>()
  #directives = 0

  constructor(document: DocumentNode, limits: GraphqlLimits) {
    this.#document = document
    this.#limits = limits
    this.#fragments = fragmentsOf(document)
  }

  judge(): void {
    const { depth, aliases, rootFields } = this.#limits
    const { definitions } = this.#document
    const operations = new Set<string>()
    for (const definition of definitions) {
      if (definition.kind === Kind.FRAGMENT_DEFINITION) {
        // Which of two is meant, whoever executes them may see otherwise.
        if (this.#fragments.get(definition.name.value) !== definition) throw twice('fragments')
        this.#count(definition.directives)
        this.#fragment(definition.name.value)
        continue
      }
      if (definition.kind !== Kind.OPERATION_DEFINITION) continue
      const name = definition.name?.value
      if (name !== undefined && operations.has(name)) throw twice('operations')
      if (name !== undefined) operations.add(name)
      this.#count(definition.directives)
      for (const variable of definition.variableDefinitions ?? []) this.#count(variable.directives)
      const measure = this.#set(definition.selectionSet)
      if (measure.fields > rootFields) throw tooMuch('rootFields', `An operation may have ${rootFields} fields at its root.`)
      if (measure.depth > depth) throw tooMuch('depth', `An operation may be nested ${depth} deep.`)
      if (measure.aliases > aliases) throw tooMuch('aliases', `An operation may have ${aliases} aliases and repeated fields.`)
    }
  }

  #count(directives: readonly unknown[] | undefined): void {
    this.#directives += directives?.length ?? 0
    const { directives: most } = this.#limits
    if (this.#directives > most) throw tooMuch('directives', `A document may have ${most} directives.`)
  }

  #set({ selections }: SelectionSetNode): Measure {
    let depth = 0
    let aliases = 0
    let fields = 0
    const names = new Set<string>()
    for (const selection of selections) {
      this.#count(selection.directives)
      if (selection.kind === Kind.FIELD) {
        const name = (selection.alias ?? selection.name).value
        if (selection.alias !== undefined || names.has(name)) aliases++
        names.add(name)
        fields++
        const inner = selection.selectionSet === undefined ? nothing : this.#set(selection.selectionSet)
        // What asks for the schema has bounds of its own, and is deep by nature.
        depth = Math.max(depth, isIntrospection(selection) ? 1 : inner.depth + 1)
        aliases += inner.aliases
        continue
      }
      const inner =
        selection.kind === Kind.INLINE_FRAGMENT ? this.#set(selection.selectionSet) : this.#fragment(selection.name.value)
      depth = Math.max(depth, inner.depth)
      aliases += inner.aliases
      fields += inner.fields
    }
    return { depth, aliases, fields }
  }

  #fragment(name: string): Measure {
    const known = this.#measured.get(name)
    if (known === 'open') throw requestError('GRAPHQL_VALIDATION_FAILED', 'A fragment is spread inside of itself.')
    if (known !== undefined) return known
    const fragment = this.#fragments.get(name)
    if (fragment === undefined) return nothing
    this.#measured.set(name, 'open')
    const measure = this.#set(fragment.selectionSet)
    this.#measured.set(name, measure)
    return measure
  }
}

const nothing: Measure = { depth: 0, aliases: 0, fields: 0 }

function isIntrospection({ name }: FieldNode): boolean {
  return name.value === '__schema' || name.value === '__type'
}

/** What a call costs. */
export const callCost = 10
/** What an object costs. */
export const objectCost = 1

/** So many fields are looked at: fragments inside of fragments grow faster than the document. */
export const maxVisits = 20_000

/** Arguments that say how long a list will be, as APIs call them. */
const sizeNames = ['pageSize', 'limit', 'first', 'last', 'maxResults']

/**
 * The cost of a valid operation: a call 10, an object 1, times the lengths of the lists that it stands in. A list is as long
 * as its call's input says (`pageSize`, `limit`, `first`, `last`, `maxResults`), else as `listSize`. Infinity: too much to tell.
 */
export function operationCost(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
  variables: Readonly<Record<string, unknown>>,
  { cost: most, listSize }: GraphqlLimits,
): number {
  const root = schema.getRootType(operation.operation)
  if (root === undefined || root === null) return 0
  const fragments = fragmentsOf(document)
  const given = givenValues(operation, variables)
  let cost = 0
  let visits = 0

  const walk = (set: SelectionSetNode, type: GraphQLObjectType, times: number, size: number): void => {
    for (const selection of set.selections) {
      if (cost > most || ++visits > maxVisits) return
      if (selection.kind === Kind.FIELD) field(selection, type, times, size)
      else {
        const inner = selection.kind === Kind.INLINE_FRAGMENT ? selection : fragments.get(selection.name.value)
        if (inner !== undefined) walk(inner.selectionSet, type, times, size)
      }
    }
  }
  const field = (node: FieldNode, parent: GraphQLObjectType, times: number, size: number): void => {
    const config = parent.getFields()[node.name.value] as { readonly type: GraphQLOutputType } | undefined
    if (config === undefined) return
    const isCall = parent === root
    if (isCall) cost += callCost
    const type = getNamedType(config.type)
    if (!isCompositeType(type) || node.selectionSet === undefined || !isObjectType(type)) return
    const isList = holdsList(config.type)
    const here = isList ? times * size : times
    cost += objectCost * here
    walk(node.selectionSet, type, here, isCall ? (sizeOf(node, given) ?? listSize) : isList ? listSize : size)
  }
  walk(operation.selectionSet, root, 1, listSize)
  return visits > maxVisits || cost > most ? Infinity : cost
}

/** Refuses an operation by its cost. */
export function costError(cost: number, { cost: most }: GraphqlLimits): GraphQLError | undefined {
  return cost > most ? tooMuch('cost', `An operation may cost ${most}: ask for fewer fields, or for shorter lists.`) : undefined
}

function holdsList(type: GraphQLOutputType): boolean {
  return isListType('ofType' in type && !isListType(type) ? type.ofType : type)
}

/** The values of an operation's variables, as they were given or by default; not judged. */
export function givenValues(
  operation: OperationDefinitionNode,
  variables: Readonly<Record<string, unknown>>,
): Map<string, unknown> {
  const given = new Map<string, unknown>()
  for (const { variable, defaultValue } of operation.variableDefinitions ?? []) {
    const { value: name } = variable.name
    if (Object.hasOwn(variables, name)) given.set(name, variables[name])
    else if (defaultValue !== undefined) given.set(name, valueFromASTUntyped(defaultValue))
  }
  return given
}

/** The length of lists that a field's arguments, or its `input`, say. */
export function sizeOf({ arguments: args = [] }: FieldNode, given: ReadonlyMap<string, unknown>): number | undefined {
  const own = sizeIn((name) => valueOf(args.find((arg) => arg.name.value === name)?.value, given))
  const input = args.find(({ name }) => name.value === 'input')?.value
  if (own !== undefined || input === undefined) return own
  if (input.kind === Kind.VARIABLE)
    return sizeIn((name) => (valueOf(input, given) as Record<string, unknown> | null | undefined)?.[name])
  if (input.kind !== Kind.OBJECT) return undefined
  return sizeIn((name) => valueOf(input.fields.find((field) => field.name.value === name)?.value, given))
}

function valueOf(value: ValueNode | undefined, given: ReadonlyMap<string, unknown>): unknown {
  if (value === undefined) return undefined
  return value.kind === Kind.VARIABLE ? given.get(value.name.value) : valueFromASTUntyped(value)
}

/** The largest of them: which one the service goes by is not known. */
function sizeIn(read: (name: string) => unknown): number | undefined {
  let largest: number | undefined
  for (const name of sizeNames) {
    const value = read(name)
    // Of an object, which nobody has judged yet, a number may not even be asked.
    const size = typeof value === 'object' ? Number.NaN : Number(value)
    if (size >= 1) largest = Math.max(size, largest ?? 1)
  }
  return largest
}
