const maxLength = 2048
/** Visible ASCII without backslash: what browsers do not rewrite before they read it. */
const plain = /^\/[!-[\]-~]*$/

/**
 * Where to go after a login: a path of this very origin, with its query; undefined for anything that a browser could take
 * for an address elsewhere (`//host`, `/\host`, a scheme, a line break …) or that leads back to `loginPath`.
 */
export function parseReturnTo(text: string | null | undefined, loginPath: string): string | undefined {
  if (text === null || text === undefined || text.length > maxLength || !plain.test(text)) return undefined
  // The parser of browsers has the last word: what it takes for another origin is none of ours.
  const url = URL.parse(text, 'https://velum.invalid')
  if (url === null || url.origin !== 'https://velum.invalid' || url.pathname.startsWith('//')) return undefined
  if (url.pathname === loginPath) return undefined
  return `${url.pathname}${url.search}${url.hash}`
}
