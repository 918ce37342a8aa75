import { Fault } from '../../core/fault.ts'

/** Calls `visit` for every parameter of a query, decoded as browsers encode forms: "+" is a space. Throws `malformed`. */
export function eachParameter(query: string, visit: (name: string, value: string) => void): void {
  for (const pair of query.split('&')) {
    if (pair === '') continue
    const equals = pair.indexOf('=')
    if (equals === -1) visit(decoded(pair), '')
    else visit(decoded(pair.slice(0, equals)), decoded(pair.slice(equals + 1)))
  }
}

function decoded(text: string): string {
  const spaced = text.includes('+') ? text.replaceAll('+', ' ') : text
  if (!spaced.includes('%')) return spaced
  try {
    return decodeURIComponent(spaced)
  } catch {
    throw new Fault('malformed', 'the query holds an escape that is none')
  }
}
