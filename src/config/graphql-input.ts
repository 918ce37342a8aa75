/** What a method is in the schema of GraphQL. */
export interface GraphqlMethodInput {
  /** `none` leaves it out. Default: a query where it is declared free of side effects or has a rule of GET, else a mutation. */
  readonly as?: 'query' | 'mutation' | 'none' | undefined
  /** The name of its field. Default: that of the method, in lowerCamelCase. */
  readonly name?: string | undefined
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
}
