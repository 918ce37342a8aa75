/** A JSON Schema as data: an object of keywords, or true or false. */
export type Schema = boolean | { readonly [keyword: string]: unknown }

/** Which rules a schema is read by. */
export type Dialect = '2020-12' | '2019-09' | 'draft-07'

/** What routes check their requests by: plain data, made when a configuration is loaded; routes name it by its digest. */
export type Shape = SchemaShape

/** One schema for the body of every request. */
export interface SchemaShape {
  readonly kind: 'schema'
  readonly dialect: Dialect
  /** Tells shapes apart: equal shapes are compiled once. */
  readonly digest: string
  readonly root: Schema
  /** Schemas of other files by the URI under which they are named. */
  readonly others: readonly (readonly [uri: string, schema: Schema])[]
}

/** One thing that does not fit. The words are ours and the schema's; of the client's own there are only names in pointers. */
export interface Misfit {
  readonly in: 'body'
  /** Where inside of it: a JSON Pointer (RFC 6901) as a URI fragment, `#/items/0/price`. */
  readonly pointer: string
  readonly detail: string
}

/** The most that a client is told at once. */
export const maxMisfits = 20
