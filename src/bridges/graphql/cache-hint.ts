import { trimSpace } from '../../lib/trim-space.ts'

/**
 * What services said of the freshness of their answers (`cache-control` in the metadata), as one word for all of them: the
 * shortest age, private when one is. Undefined when one says nothing that allows to keep it.
 */
export function joinedCacheControl(said: readonly (string | undefined)[]): string | undefined {
  let age = Infinity
  let isPrivate = false
  for (const text of said) {
    const directives = (text ?? '').toLowerCase().split(',').map(trimSpace)
    if (directives.some((name) => name === 'no-store' || name.startsWith('no-cache'))) return undefined
    const own = ageOf(directives, 's-maxage') ?? ageOf(directives, 'max-age')
    if (own === undefined) return undefined
    age = Math.min(age, own)
    isPrivate ||= directives.some((name) => name.startsWith('private'))
  }
  return age === Infinity ? undefined : `${isPrivate ? 'private, ' : ''}max-age=${age}`
}

function ageOf(directives: readonly string[], name: string): number | undefined {
  const found = directives
    .filter((directive) => directive.startsWith(`${name}=`))
    .map((directive) => directive.slice(name.length + 1))
  // What is said twice cannot be believed.
  return found.length === 1 && /^\d{1,10}$/.test(found[0]) ? Number(found[0]) : undefined
}
