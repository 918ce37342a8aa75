/**
 * Vocabulary of the contract that this version of Velum does not have yet, by place (`*` is any name or number). Such a
 * name is told apart from a misspelt one: it is refused, never ignored, and never "corrected" to something else.
 */
const routeNames = ['validate']

const namesByPlace: ReadonlyMap<string, readonly string[]> = new Map([
  ['routes.*', routeNames],
  ['defaults', routeNames],
])

const valuesByPlace: ReadonlyMap<string, readonly string[]> = new Map()

/** Whether the contract has this key at this place, though this version does not. */
export function isNameNotYet(place: readonly PropertyKey[], name: string): boolean {
  return namesByPlace.get(placeText(place))?.includes(name) ?? false
}

/** Whether the contract has this value at this place, though this version does not. */
export function isValueNotYet(place: readonly PropertyKey[], value: unknown): boolean {
  return valuesByPlace.get(placeText(place))?.includes(value as string) ?? false
}

// Where a name or a number follows: everything below these is the user's own naming.
const named = new Set([
  'listeners',
  'services',
  'limits',
  'penalties',
  'policies',
  'identity.trustedIssuers',
  'identity.apiKeys',
  'identity.certificates',
  'identity.clients',
  'identity.roles',
  'identity.providers',
  'identity.providers.*.parameters',
  'identity.providers.*.rolesFrom.map',
])

function placeText(place: readonly PropertyKey[]): string {
  let text = ''
  for (const part of place) {
    const step = typeof part === 'number' || named.has(text) ? '*' : String(part)
    text = text === '' ? step : `${text}.${step}`
  }
  return text
}
