/**
 * A field of HTTP, or a part of one, without the white space around it: spaces and tabs only (RFC 9110 §5.6.3). What
 * `trim` takes off besides, U+00A0 above all, is part of the value to whoever reads it next.
 */
export function trimSpace(text: string): string {
  let start = 0
  let end = text.length
  while (start < end && isSpace(text.charCodeAt(start))) start++
  while (start < end && isSpace(text.charCodeAt(end - 1))) end--
  return start === 0 && end === text.length ? text : text.slice(start, end)
}

function isSpace(code: number): boolean {
  return code === 32 || code === 9
}
