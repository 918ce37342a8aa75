import type { FieldMatch, RouteMatch } from '../routing/route-match.ts'
import { parsePathPattern, PatternError } from '../routing/path-pattern.ts'
import { nearest } from '../lib/suggest.ts'
import type { CheckContext } from './check-context.ts'
import type { ConfigPath } from './finding.ts'
import type { Fields } from './reading.ts'
import { matchSchema } from './schema/routes.ts'

/** When a route applies; undefined, with findings, when no router could be built from it. */
export function checkMatch(context: CheckContext, path: ConfigPath): RouteMatch | undefined {
  const read = context.reading.readFields(matchSchema, path)
  if (read === undefined) return undefined
  const paths = read.path === undefined ? undefined : checkPaths(context, [...path, 'path'], read.path)
  const methods = checkMethods(context, [...path, 'methods'], read.methods ?? [])
  const headers = checkHeaders(context, [...path, 'headers'], read.headers)
  if (paths === undefined || methods === undefined || headers === undefined) return undefined
  return {
    paths,
    methods,
    hosts: unique((read.hosts ?? []).map((host) => host.toLowerCase())),
    headers,
    query: Object.entries(read.query ?? {}).map(fieldMatch),
    allow: unique(read.allow ?? []),
  }
}

function checkPaths(context: CheckContext, path: ConfigPath, patterns: readonly string[]): string[] | undefined {
  const isList = Array.isArray(context.reading.at(path))
  let isGood = true
  for (const [i, pattern] of patterns.entries()) {
    try {
      parsePathPattern(pattern)
    } catch (thrown) {
      if (!(thrown instanceof PatternError)) throw thrown
      context.findings.error(
        isList ? [...path, i] : path,
        `${context.reading.show(pattern, path)}: ${thrown.message}`,
        thrown.remedy,
      )
      isGood = false
    }
    if (patterns.indexOf(pattern) < i)
      context.findings.warn(
        [...path, i],
        `the path ${context.reading.show(pattern, path)} stands here twice`,
        'keep one of the two',
      )
  }
  return isGood ? unique(patterns) : undefined
}

const knownMethods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'QUERY']

function checkMethods(context: CheckContext, path: ConfigPath, methods: readonly string[]): string[] | undefined {
  let isGood = true
  for (const [i, method] of methods.entries()) {
    const wrong = (message: string, remedy: string): void => {
      context.findings.error([...path, i], message, remedy)
      isGood = false
    }
    const shown = context.reading.show(method, [...path, i])
    if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32}$/.test(method))
      wrong(`${shown} is not a method`, `use ${knownMethods.slice(0, 6).join(', ')} …`)
    else if (method !== method.toUpperCase())
      wrong(`${shown} never matches: methods are upper case`, `write "${method.toUpperCase()}"`)
    else if (method === 'CONNECT' || method === 'TRACE') wrong(`${method} is not served`, 'remove it')
    else if (!knownMethods.includes(method)) {
      const meant = nearest(method, knownMethods)
      if (meant !== undefined) context.findings.warn([...path, i], `${shown} is not a usual method`, `did you mean "${meant}"?`)
    }
  }
  return isGood ? unique(methods) : undefined
}

function checkHeaders(
  context: CheckContext,
  path: ConfigPath,
  headers: Fields<typeof matchSchema>['headers'],
): FieldMatch[] | undefined {
  let isGood = true
  for (const name of Object.keys(headers ?? {})) {
    if (/^[!#$%&'*+\-.^`|~0-9A-Za-z]+$/.test(name)) continue
    const remedy = name.includes('_')
      ? `write "${name.replaceAll('_', '-')}": services cannot tell "_" from "-"`
      : 'use the name of a header, without ":"'
    context.findings.error([...path, name], `${context.reading.show(name, path)} is not a header name`, remedy)
    isGood = false
  }
  if (!isGood) return undefined
  return Object.entries(headers ?? {}).map(([name, value]) => fieldMatch([name.toLowerCase(), value]))
}

function fieldMatch([name, value]: [string, string | string[] | true]): FieldMatch {
  return { name, values: value === true ? undefined : typeof value === 'string' ? [value] : value }
}

function unique<T>(values: readonly T[]): T[] {
  return [...new Set(values)]
}
