import { isBuiltin } from 'node:module'

/** What of Node.js computes and calls nobody. */
const pureModules = new Set([
  'assert',
  'buffer',
  'crypto',
  'events',
  'path',
  'punycode',
  'querystring',
  'string_decoder',
  'url',
  'util',
])

/** Why a policy's own module may not import this; undefined when it may. Packages are not looked into. */
export function importObjection(specifier: string): string | undefined {
  if (!isBuiltin(specifier)) return undefined
  const [name] = specifier.replace(/^node:/, '').split('/')
  return pureModules.has(name) ? undefined : `a policy may not import ${specifier}: it decides by what it is told, and calls nobody`
}
