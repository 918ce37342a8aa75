/**
 * Text of plain data that is equal exactly when the data is: members in the order of their names, undefined ones left
 * out. Numbers that JSON lacks are written by name, so it is for hashing and comparing, not for parsing.
 */
export function stableJson(value: unknown): string {
  if (typeof value === 'number') return String(value)
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'undefined'
  let text = ''
  if (Array.isArray(value)) {
    for (const item of value) text += text === '' ? stableJson(item) : `,${stableJson(item)}`
    return `[${text}]`
  }
  for (const name of Object.keys(value).sort()) {
    const member = (value as Record<string, unknown>)[name]
    if (member !== undefined) text += `${text === '' ? '' : ','}${JSON.stringify(name)}:${stableJson(member)}`
  }
  return `{${text}}`
}
