import type { Descriptors, GrpcMethod } from '../descriptors/descriptors.ts'
import type { JsonOptions } from '../json/message-codec.ts'
import type { Binding } from './binding.ts'
import { createBinding } from './binding.ts'
import { TemplateError } from './path-template.ts'
import { RuleTree } from './rule-tree.ts'

/** A rule that is not served, and why, in one line. */
export interface RuleFault {
  readonly method: GrpcMethod
  readonly path: string
  readonly message: string
}

/** The rules of all methods as one tree. Rules that cannot be served are left out, with their faults. */
export function compileRules(
  descriptors: Descriptors,
  options: JsonOptions,
): { readonly tree: RuleTree<Binding>; readonly bindings: readonly Binding[]; readonly faults: readonly RuleFault[] } {
  const tree = new RuleTree<Binding>()
  const bindings: Binding[] = []
  const faults: RuleFault[] = []
  for (const method of descriptors.methods.values()) {
    for (const rule of method.rules) {
      try {
        const binding = createBinding(method, rule, descriptors, options)
        const same = tree.add(rule.method, binding.template, binding)
        if (same === undefined) bindings.push(binding)
        else
          faults.push({
            method,
            path: rule.path,
            message: `${rule.method} ${same.rule.path} of ${same.method.path.slice(1)} is the same path`,
          })
      } catch (thrown) {
        if (!(thrown instanceof TemplateError)) throw thrown
        faults.push({ method, path: rule.path, message: thrown.message })
      }
    }
  }
  return { tree, bindings, faults }
}
