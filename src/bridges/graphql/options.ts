/** Bounds of what one operation may ask for; all are judged before anything is executed. */
export interface GraphqlLimits {
  /** Largest request, in bytes. */
  readonly bytes: number
  /** Most lexical tokens of a document. */
  readonly tokens: number
  /** Deepest nesting of selections. */
  readonly depth: number
  /** Most fields under another name, and fields said again, fragments counted where they are spread. */
  readonly aliases: number
  /** Most root fields, each of which is a call. */
  readonly rootFields: number
  /** Most directives in a document. */
  readonly directives: number
  /** Highest cost: a call 10, an object 1, times the length of the lists that it stands in. */
  readonly cost: number
  /** The length that a list is taken for where no argument says it. */
  readonly listSize: number
}

/** What `velum` takes where the configuration says nothing. */
export const standardLimits: GraphqlLimits = {
  bytes: 131_072,
  tokens: 2000,
  depth: 12,
  aliases: 30,
  rootFields: 20,
  directives: 30,
  cost: 5000,
  listSize: 10,
}

/** What a method is in the schema, against what its descriptor suggests. */
export interface MethodChoice {
  /** `package.Service.Method`. */
  readonly method: string
  /** `none` leaves it out. */
  readonly as: 'query' | 'mutation' | 'none' | undefined
  /** The name of its field; undefined: as the rules of names have it. */
  readonly name: string | undefined
}

/** Documents known beforehand, by the hash that callers send in place of the text. */
export interface PersistedDocuments {
  readonly documents: readonly (readonly [hash: string, text: string])[]
  /** Whether nothing but these is executed. */
  readonly only: boolean
}

/** How a schema is made of descriptors. */
export interface GraphqlSchemaOptions {
  readonly methods: readonly MethodChoice[]
}

/** What a service that speaks GraphQL itself is guarded by. Plain data. */
export interface GraphqlGuardOptions {
  /** Whether the schema may be asked for. */
  readonly introspection: boolean
  /** The status codes of GraphQL over HTTP: those of the drafts until 2025, or those of August 2026. */
  readonly statusCodes: '2025' | '2026'
  readonly limits: GraphqlLimits
}

/** The bridge of one route. Plain data. */
export interface GraphqlOptions extends GraphqlSchemaOptions, GraphqlGuardOptions {
  readonly persisted: PersistedDocuments | undefined
  /** Whether every request of the route is GraphQL; otherwise those whose path ends with `/graphql`. */
  readonly takesAll: boolean
}
