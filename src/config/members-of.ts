import { isObject } from '../lib/is-object.ts'

/** An object's members; none of what is no object, though one should stand there. */
export function membersOf(value: unknown): Readonly<Record<string, unknown>> {
  return isObject(value) ? value : {}
}
