const plain = /^[!-$&-~]*$/
const unsafe = /[^!-$&-~]+/g

/**
 * Any text as it may stand in a header line: bytes beyond visible ASCII, and `%`, are percent-encoded in UTF-8, so that
 * the other side can read it back exactly and nothing in it can begin another line.
 */
export function fieldText(text: string): string {
  if (plain.test(text)) return text
  return text.replace(unsafe, (run) => {
    let out = ''
    for (const byte of Buffer.from(run)) out += `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
    return out
  })
}
