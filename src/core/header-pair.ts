// Field values as RFC 9110 allows them: no control bytes but tab, nothing beyond latin1, no edge whitespace.
const valuePattern = /^(?:[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?$/
const namePattern = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

/** Throws on a name or a value that could not stand in a message. */
export function assertPair(name: string, value: string): void {
  if (!namePattern.test(name)) throw new Error(`not a header name: ${JSON.stringify(name)}`)
  if (!valuePattern.test(value)) throw new Error(`not a header value for ${name}: ${JSON.stringify(value.slice(0, 80))}`)
}
