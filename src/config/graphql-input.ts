import type { Size } from './unit-input.ts'

/** What a method is in the schema of GraphQL. */
export interface GraphqlMethodInput {
  /** `none` leaves it out. Default: a query where it is declared free of side effects or has a rule of GET, else a mutation. */
  readonly as?: 'query' | 'mutation' | 'none' | undefined
  /** The name of its field. Default: that of the method, in lowerCamelCase. */
  readonly name?: string | undefined
}

/** Bounds of what one operation may ask for, judged before anything of it is executed. */
export interface GraphqlLimitsInput {
  /** Largest request. Default: `128kb`. */
  readonly bytes?: Size | undefined
  /** Most words and signs of a document. Default: 2000. */
  readonly tokens?: number | undefined
  /** Deepest nesting of fields. Default: 12. */
  readonly depth?: number | undefined
  /** Most fields under another name, and fields said again. Default: 30. */
  readonly aliases?: number | undefined
  /** Most fields at the root, each of which is a call. Default: 20. */
  readonly rootFields?: number | undefined
  /** Most directives of a document. Default: 30. */
  readonly directives?: number | undefined
  /** Highest cost: a call 10, an object 1, times the lengths of the lists that it stands in. Default: 5000. */
  readonly cost?: number | undefined
  /** The length that a list is taken for. Default: 10. */
  readonly listSize?: number | undefined
}

/** Documents known beforehand. */
export interface GraphqlPersistedInput {
  /** A JSON object of id and document, relative to the config file. */
  readonly file: string
  /** Executes nothing but these. Default: false. */
  readonly only?: boolean | undefined
}

/** GraphQL over HTTP. */
export interface GraphqlBridgeInput {
  readonly use: 'graphql'
  /** Answers questions for the schema itself. Default: false. */
  readonly introspection?: boolean | undefined
  /** The status codes of GraphQL over HTTP: of the drafts until 2025, or of August 2026. Default: `2025`. */
  readonly statusCodes?: '2025' | '2026' | undefined
  /** By `package.Service.Method`. */
  readonly methods?: Readonly<Record<string, GraphqlMethodInput>> | undefined
  readonly limits?: GraphqlLimitsInput | undefined
  readonly persisted?: GraphqlPersistedInput | undefined
}

/** What stands before a service that speaks GraphQL itself. */
export interface GraphqlGuardInput {
  /** Passes questions for the schema. Default: false. */
  readonly introspection?: boolean | undefined
  /** The status codes of refusals. Default: `2025`. */
  readonly statusCodes?: '2025' | '2026' | undefined
  readonly limits?: GraphqlLimitsInput | undefined
}
