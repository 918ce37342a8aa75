import type { BodyOptions } from '../policies/body.ts'
import type { OpenapiShape, Operation } from '../policies/shapes/shape.ts'
import { parsePathPattern } from '../routing/path-pattern.ts'
import type { PathPattern } from '../routing/path-pattern.ts'
import type { RouteMatch } from '../routing/route-match.ts'
import type { CheckContext } from './check-context.ts'
import type { GatewayModel } from './model.ts'

/** Routes that check by a description none of whose operations they can meet: everything there would be answered with 404. */
export function checkDescriptions(context: CheckContext, { routes, shapes = [] }: Omit<GatewayModel, 'hash'>): void {
  const described = new Map<string, OpenapiShape>()
  for (const shape of shapes) if (shape.kind === 'openapi') described.set(shape.digest, shape)
  for (const [i, { match, policies }] of routes.entries()) {
    const { shape } = (policies.find(({ policy }) => policy === 'body')?.options ?? {}) as Partial<BodyOptions>
    const operations = shape === undefined ? undefined : described.get(shape)?.operations
    if (operations === undefined) continue
    const patterns = match.paths.map(parsePathPattern)
    if (operations.some((operation) => isServed(operation, match) && patterns.some((pattern) => canMeet(pattern, operation))))
      continue
    const own = ['routes', i, 'body', 'openapi']
    const path = context.reading.at(own) === undefined ? ['defaults', 'body', 'openapi'] : own
    context.findings.warn(
      path,
      `no operation of the description can be reached by routes[${i}]: its first one is ${operations[0].method} ${operations[0].path}`,
      'correct the match of the route, or say by base where the paths of the description begin',
    )
  }
}

function isServed({ method }: Operation, { methods }: RouteMatch): boolean {
  return methods.length === 0 || methods.includes(method) || (method === 'HEAD' && methods.includes('GET'))
}

/** Whether some path fits both; what catches anything on one side fits whatever the other side wants there. */
function canMeet({ segments }: PathPattern, { path }: Operation): boolean {
  const steps = path.slice(1).split('/')
  const last = segments.at(-1)
  const isOpen = last?.kind === 'rest'
  const fixed = isOpen ? segments.slice(0, -1) : segments
  const isShort = last?.kind === 'optional' && steps.length === segments.length - 1
  if (isOpen ? steps.length < fixed.length : steps.length !== segments.length && !isShort) return false
  return fixed.every((segment, n) => {
    const step = steps[n]
    return segment.kind !== 'literal' || step === undefined || step.includes('{') || step === segment.text
  })
}
