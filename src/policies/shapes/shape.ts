/** A JSON Schema as data: an object of keywords, or true or false. */
export type Schema = boolean | { readonly [keyword: string]: unknown }

/** Which rules a schema is read by. */
export type Dialect = '2020-12' | '2019-09' | 'draft-07'

/** What routes check their requests by: plain data, made when a configuration is loaded; routes name it by its digest. */
export type Shape = SchemaShape | OpenapiShape

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

/** The operations of an OpenAPI description. */
export interface OpenapiShape {
  readonly kind: 'openapi'
  readonly digest: string
  readonly operations: readonly Operation[]
  /** Schemas that others name by `$ref`, by that name; all in the dialect 2020-12. */
  readonly named: readonly (readonly [uri: string, schema: Schema])[]
}

export interface Operation {
  /** In upper case. */
  readonly method: string
  /** With the base path in front, literals as the one reading of paths writes them: `/v1/pets/{petId}`. */
  readonly path: string
  readonly parameters: readonly Parameter[]
  /** Undefined: no body is described. */
  readonly body: { readonly isRequired: boolean; readonly content: readonly Content[] } | undefined
  readonly answers: readonly Answered[]
}

export const parameterPlaces = ['path', 'query', 'header', 'cookie'] as const
export type ParameterPlace = (typeof parameterPlaces)[number]

export const parameterStyles = ['simple', 'label', 'matrix', 'form', 'spaceDelimited', 'pipeDelimited', 'deepObject'] as const
export type ParameterStyle = (typeof parameterStyles)[number]

/** How a value is written into text (OpenAPI, "Style Values"). */
export interface Writing {
  readonly style: ParameterStyle
  readonly isExploded: boolean
  /** The text is JSON, whatever the style. */
  readonly isJson: boolean
}

export interface Parameter extends Writing {
  readonly place: ParameterPlace
  /** Of a header in lower case. */
  readonly name: string
  readonly isRequired: boolean
  /** Whether it may stand there without a value, whatever its schema says. */
  readonly mayBeEmpty: boolean
  readonly schema: Schema
}

/** What a body may be. */
export interface Content {
  /** A media range in lower case. */
  readonly range: string
  readonly schema: Schema
  /** How fields of a form are written, where not by exploded `form` style. */
  readonly writings: Readonly<Record<string, Writing>>
}

/** What an operation may answer. */
export interface Answered {
  /** `200`, `2XX` or `default`. */
  readonly status: string
  /** Empty: anything, as nothing is said of it. */
  readonly content: readonly Content[]
}

/** One thing that does not fit. The words are ours and the schema's; of the client's own there are only names in pointers. */
export interface Misfit {
  readonly in: 'body' | ParameterPlace
  /** The parameter's name; absent in a body. */
  readonly name?: string | undefined
  /** Where inside of it: a JSON Pointer (RFC 6901) as a URI fragment, `#/items/0/price`. */
  readonly pointer: string
  readonly detail: string
}

/** The most that a client is told at once. */
export const maxMisfits = 20
