import { GraphQLError, NoSchemaIntrospectionCustomRule, getOperationAST, parse, specifiedRules, validate } from 'graphql'
import type { DocumentNode, GraphQLSchema, OperationDefinitionNode } from 'graphql'
import { requestError } from './errors.ts'
import { costError, formError, operationCost } from './operation-limits.ts'
import type { GraphqlLimits, GraphqlOptions } from './options.ts'
import type { GraphqlRequest } from './request.ts'

/** An operation that may be executed. */
export interface CheckedOperation {
  readonly document: DocumentNode
  readonly operation: OperationDefinitionNode
  readonly cost: number
}

/** Why a document, or what is asked of it, is refused. */
export interface Refused {
  readonly errors: readonly GraphQLError[]
}

/** Valid documents are kept while their texts come to less than this, of this length each: parsed they take some 40 times as much. */
const maxKept = 262_144
const maxKeptLength = 16_384

/**
 * The documents of one schema: read, judged and kept. Nothing that is refused is kept, so strangers cannot fill it with
 * rubbish; those that are known beforehand always are.
 */
export class Documents {
  readonly #schema: GraphQLSchema
  readonly #options: GraphqlOptions
  readonly #kept = new Map<string, DocumentNode>()
  #keptLength = 0
  readonly #persisted: ReadonlyMap<string, string>
  readonly #known: Map<string, DocumentNode | undefined>

  constructor(schema: GraphQLSchema, options: GraphqlOptions) {
    this.#schema = schema
    this.#options = options
    const documents = options.persisted?.documents ?? []
    this.#persisted = new Map(documents)
    this.#known = new Map(documents.map(([, text]) => [text, undefined]))
  }

  /** The operation that a request means, if it is allowed. */
  check({ query, documentId, operationName, variables }: GraphqlRequest): CheckedOperation | Refused {
    const text = this.#text(query, documentId)
    if (text instanceof GraphQLError) return { errors: [text] }
    const document = this.#document(text)
    if ('errors' in document) return document
    const operation = operationOf(document, operationName)
    if ('errors' in operation) return operation
    const cost = operationCost(this.#schema, document, operation, variables, this.#options.limits)
    const refused = costError(cost, this.#options.limits)
    return refused === undefined ? { document, operation, cost } : { errors: [refused] }
  }

  #text(query: string | undefined, id: string | undefined): string | GraphQLError {
    if (id !== undefined) {
      const known = this.#persisted.get(id)
      if (known === undefined) return requestError('PERSISTED_QUERY_NOT_FOUND', 'There is no document with this id.')
      return query === undefined || query === known
        ? known
        : requestError('BAD_REQUEST', 'The document is not the one with this id.')
    }
    if (this.#options.persisted?.only === true)
      return requestError('PERSISTED_QUERY_ONLY', 'Only documents that are known here are executed: send a documentId.')
    return query ?? requestError('BAD_REQUEST', 'There is no query.')
  }

  #document(text: string): DocumentNode | Refused {
    const kept = this.#kept.get(text) ?? this.#known.get(text)
    if (kept !== undefined) {
      // The latest used are last, so that the first is the one to go.
      if (this.#kept.delete(text)) this.#kept.set(text, kept)
      return kept
    }
    const document = readDocument(text, this.#schema, this.#options)
    if (!('errors' in document)) this.#keep(text, document)
    return document
  }

  #keep(text: string, document: DocumentNode): void {
    if (this.#known.has(text)) {
      this.#known.set(text, document)
      return
    }
    if (text.length > maxKeptLength) return
    this.#kept.set(text, document)
    this.#keptLength += text.length
    for (const first of this.#kept.keys()) {
      if (this.#keptLength <= maxKept) return
      this.#kept.delete(first)
      this.#keptLength -= first.length
    }
  }
}

/** A document that is valid for a schema and within the limits, or what is wrong with it. Words of the API, all of them. */
export function readDocument(
  text: string,
  schema: GraphQLSchema,
  { introspection, limits }: Pick<GraphqlOptions, 'introspection' | 'limits'>,
): DocumentNode | Refused {
  const document = parseDocument(text, limits)
  if ('errors' in document) return document
  const rules = introspection ? specifiedRules : [...specifiedRules, NoSchemaIntrospectionCustomRule]
  const errors = validate(schema, document, rules, { maxErrors: 10, hideSuggestions: !introspection })
  return errors.length === 0 ? document : { errors: errors.map((error) => withCode(error, 'GRAPHQL_VALIDATION_FAILED')) }
}

/** A document whose form is within the limits, or what is wrong with it. */
export function parseDocument(text: string, limits: GraphqlLimits): DocumentNode | Refused {
  try {
    const document = parse(text, { maxTokens: limits.tokens })
    const form = formError(document, limits)
    return form === undefined ? document : { errors: [form] }
  } catch (thrown) {
    // The stack: many tokens may be allowed, and values within values have no limit of their own.
    if (thrown instanceof RangeError) return { errors: [requestError('OPERATION_LIMIT_EXCEEDED', tooDeep, { limit: 'depth' })] }
    if (!(thrown instanceof GraphQLError)) throw thrown
    if (thrown.message.includes(`more than ${limits.tokens} tokens`)) {
      const words = `A document may have ${limits.tokens} tokens.`
      return { errors: [requestError('OPERATION_LIMIT_EXCEEDED', words, { limit: 'tokens' })] }
    }
    return { errors: [withCode(thrown, 'GRAPHQL_PARSE_FAILED')] }
  }
}

const tooDeep = 'The document is nested too deeply to be read.'

/** The operation of a document that is meant. */
export function operationOf(document: DocumentNode, name: string | undefined): OperationDefinitionNode | Refused {
  const operation = getOperationAST(document, name)
  if (operation !== null && operation !== undefined) return operation
  const words =
    name === undefined
      ? 'The document has several operations: operationName must say which.'
      : 'The document has no operation of that name.'
  return { errors: [requestError('OPERATION_RESOLUTION_FAILURE', words)] }
}

function withCode({ message, nodes, source, positions }: GraphQLError, code: string): GraphQLError {
  return new GraphQLError(message, { nodes, source, positions, extensions: { code } })
}
