import type { DescMessage } from '@bufbuild/protobuf'
import { hasCustomJsonRepresentation } from '@bufbuild/protobuf/wkt'
import type { Json } from '../json/json-text.ts'
import { ExactNumber } from '../json/json-text.ts'
import { fieldNamed } from '../json/settle-numbers.ts'

/**
 * The paths that JSON sets, by the fields' own names. What is replaced as a whole ends a path: lists, maps, and types
 * that JSON writes as one value; so do an empty object and null, which clear their field.
 */
export function maskPaths(desc: DescMessage, json: Json): string[] {
  const paths: string[] = []
  collect(desc, json, '', paths)
  return paths
}

function collect(desc: DescMessage, json: Json, prefix: string, paths: string[]): void {
  if (json === null || typeof json !== 'object' || Array.isArray(json) || json instanceof ExactNumber) return
  for (const name of Object.keys(json)) {
    const field = fieldNamed(desc, name)
    if (field === undefined) continue
    const path = prefix === '' ? field.name : `${prefix}.${field.name}`
    const before = paths.length
    if (field.fieldKind === 'message' && !hasCustomJsonRepresentation(field.message))
      collect(field.message, json[name], path, paths)
    if (paths.length === before) paths.push(path)
  }
}
