import { getOption, hasOption } from '@bufbuild/protobuf'
import type { DescMethod } from '@bufbuild/protobuf'
import { httpOption } from './built-in.ts'

/** One way to call a method over HTTP (`google.api.HttpRule`), additional bindings laid out flat. */
export interface HttpRule {
  /** In upper case; `*` for any. */
  readonly method: string
  /** A path template: `/v1/{name=shelves/*}:verb`. */
  readonly path: string
  /** The request field that is the content; `*`: the whole request; '': there is no content. */
  readonly body: string
  /** The field of the answer that is sent; '': all of it. */
  readonly responseBody: string
}

/** A rule of the configuration; it replaces the annotations of its method. */
export interface ConfiguredRule extends HttpRule {
  /** `package.Service.Method`. */
  readonly selector: string
}

interface RuleMessage {
  readonly pattern:
    | { readonly case: 'custom'; readonly value: { readonly kind: string; readonly path: string } }
    | { readonly case: 'get' | 'put' | 'post' | 'delete' | 'patch'; readonly value: string }
    | { readonly case: undefined; readonly value?: undefined }
  readonly body: string
  readonly responseBody: string
  readonly additionalBindings: readonly RuleMessage[]
}

/** The rules that stand in a method's options; none when it has no annotation. */
export function annotatedRules(method: DescMethod): HttpRule[] {
  if (!hasOption(method, httpOption)) return []
  const rule = getOption(method, httpOption) as RuleMessage
  // One level only: bindings of bindings are not allowed (http.proto), and not looked at.
  return [rule, ...rule.additionalBindings].flatMap(flatRule)
}

function flatRule({ pattern, body, responseBody }: RuleMessage): HttpRule[] {
  if (pattern.case === undefined) return []
  if (pattern.case === 'custom') {
    const { kind, path } = pattern.value
    return [{ method: kind === '*' ? '*' : kind.toUpperCase(), path, body, responseBody }]
  }
  return [{ method: pattern.case.toUpperCase(), path: pattern.value, body, responseBody }]
}
