import { trimSpace } from './trim-space.ts'

/** The type of a Content-Type value: in lower case, without parameters. */
export function mediaTypeOf(contentType: string): string {
  const semicolon = contentType.indexOf(';')
  return trimSpace(semicolon === -1 ? contentType : contentType.slice(0, semicolon)).toLowerCase()
}
