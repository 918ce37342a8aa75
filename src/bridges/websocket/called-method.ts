import { Fault } from '../../core/fault.ts'
import type { Descriptors, GrpcMethod } from '../descriptors/descriptors.ts'
import { methodOfTarget } from '../grpc/method-path.ts'
import type { Binding } from '../grpc-json/binding.ts'
import { joinedMessage } from '../grpc-json/request-message.ts'
import type { RuleHit, RuleTree } from '../grpc-json/rule-tree.ts'

/** The method that a WebSocket is for. */
export interface CalledMethod {
  readonly method: GrpcMethod
  /** What path and query say, as bytes to be put behind each message: what stands last in a message wins. */
  readonly behind: Uint8Array
}

const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const
const nothing = new Uint8Array()

/**
 * The method that a target names: by its last two segments, or by the path of an HTTP rule, whatever its HTTP method;
 * of several such rules the first that streams. Throws `unfit-message` where path or query do not fit.
 */
export function calledMethod(
  target: string,
  descriptors: Descriptors,
  rules: RuleTree<Binding>,
  ignoresUnknown: boolean,
): CalledMethod | undefined {
  const question = target.indexOf('?')
  const query = question === -1 ? '' : target.slice(question + 1)
  const named = methodOfTarget(target, descriptors)
  if (named !== undefined) {
    if (query !== '' && !ignoresUnknown)
      throw new Fault('unfit-message', 'the query must be empty: messages hold the whole request')
    return { method: named, behind: nothing }
  }
  const hit = ruleOf(question === -1 ? target : target.slice(0, question), rules)
  if (hit === undefined) return undefined
  const binding: Binding = { ...hit.value, body: undefined, maskField: undefined }
  const { input, method } = binding
  return { method, behind: input.bytesOf(joinedMessage(binding, hit.variables, query, undefined, ignoresUnknown)) }
}

function ruleOf(path: string, rules: RuleTree<Binding>): RuleHit<Binding> | undefined {
  let first: RuleHit<Binding> | undefined
  for (const method of methods) {
    const hit = rules.match(method, path)
    if (hit === undefined || 'allowed' in hit) continue
    if (hit.value.method.streamsIn || hit.value.method.streamsOut) return hit
    first ??= hit
  }
  return first
}
