/** When a route applies; patterns as in the configuration, already checked. */
export interface RouteMatch {
  /** Path patterns: `/a/b`, `/a/{x}`, `/a/{x?}`, `/a/**`. At least one. */
  readonly paths: readonly string[]
  /** Upper-case methods; empty means any. GET includes HEAD. */
  readonly methods: readonly string[]
  /** Lower-case host names, `*.example.com` for any one or more labels in front; empty means any. */
  readonly hosts: readonly string[]
  readonly headers: readonly FieldMatch[]
  readonly query: readonly FieldMatch[]
  readonly allow: readonly ('encoded-slash' | 'semicolon')[]
}

/** A header or query parameter that must be there: with this value, one of several, or any (undefined). */
export interface FieldMatch {
  readonly name: string
  readonly values: readonly string[] | undefined
}
