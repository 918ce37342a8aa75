import type { Descriptors, GrpcMethod } from '../descriptors/descriptors.ts'

/** The method that the last two segments of a target's path name: `…/package.Service/Method`. */
export function methodOfTarget(target: string, { methods }: Descriptors): GrpcMethod | undefined {
  const question = target.indexOf('?')
  const path = question === -1 ? target : target.slice(0, question)
  const last = path.lastIndexOf('/')
  const before = path.lastIndexOf('/', last - 1)
  return methods.get(before <= 0 ? path : path.slice(before))
}
