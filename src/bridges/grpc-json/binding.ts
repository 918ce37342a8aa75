import type { DescField, DescMessage } from '@bufbuild/protobuf'
import type { Descriptors, GrpcMethod } from '../descriptors/descriptors.ts'
import type { HttpRule } from '../descriptors/http-rule.ts'
import { MessageCodec } from '../json/message-codec.ts'
import type { JsonOptions } from '../json/message-codec.ts'
import { fieldNamed } from '../json/settle-numbers.ts'
import type { FieldPath } from './field-path.ts'
import { resolveFieldPath } from './field-path.ts'
import type { PathTemplate } from './path-template.ts'
import { TemplateError, parsePathTemplate } from './path-template.ts'

/** A rule joined with its method's types: everything that can be known before a request comes. */
export interface Binding {
  readonly method: GrpcMethod
  readonly rule: HttpRule
  readonly template: PathTemplate
  /** In the order of the template's variables. */
  readonly variables: readonly FieldPath[]
  /** The field that is the content; '*': the whole request; undefined: there is no content. */
  readonly body: DescField | '*' | undefined
  /** The content is bytes of any type (google.api.HttpBody) and no JSON. */
  readonly isRawBody: boolean
  /** A field mask that a PATCH fills by what its content holds, when the caller gives none. */
  readonly maskField: DescField | undefined
  readonly input: MessageCodec
  readonly output: MessageCodec
  /** The field of the answer that is sent; undefined: all of it. */
  readonly responseField: DescField | undefined
  readonly isRawAnswer: boolean
  /** The field of a parameter by its name; undefined when it sets nothing. */
  parameter(name: string): FieldPath | undefined
}

const httpBodyName = 'google.api.HttpBody'

/** Joins a rule with its method. Throws a TemplateError for one that cannot be served. */
export function createBinding(method: GrpcMethod, rule: HttpRule, { registry }: Descriptors, options: JsonOptions): Binding {
  const { input, output } = method
  const template = parsePathTemplate(rule.path)
  const variables = template.variables.map(({ fieldPath }) => variableField(input, fieldPath))
  const body = rule.body === '' || rule.body === '*' ? bodyOf(rule.body) : topField(input, rule.body, 'body')
  const bodyType = body === '*' ? input : body?.fieldKind === 'message' ? body.message : undefined
  const responseField = rule.responseBody === '' ? undefined : topField(output, rule.responseBody, 'response_body')
  const answerType =
    responseField === undefined ? output : responseField.fieldKind === 'message' ? responseField.message : undefined
  const masks = input.fields.filter(
    (field) => field.fieldKind === 'message' && field.message.typeName === 'google.protobuf.FieldMask',
  )
  const hasMask = rule.method === 'PATCH' && masks.length === 1 && body !== '*' && body?.fieldKind === 'message'
  const known = new Map<string, FieldPath>()
  return {
    method,
    rule,
    template,
    variables,
    body,
    isRawBody: bodyType?.typeName === httpBodyName,
    maskField: hasMask ? masks[0] : undefined,
    input: new MessageCodec(input, registry, options),
    output: new MessageCodec(output, registry, options),
    responseField,
    isRawAnswer: answerType?.typeName === httpBodyName,
    parameter(name) {
      let path = known.get(name)
      if (path === undefined) {
        path = resolveFieldPath(input, name.split('.', maxNames))
        // Messages may hold themselves, so the names of parameters have no end; what is remembered has.
        if (path !== undefined && known.size < maxKnown) known.set(name, path)
      }
      return path
    },
  }
}

const maxNames = 32
const maxKnown = 500

function bodyOf(body: string): '*' | undefined {
  return body === '*' ? '*' : undefined
}

function variableField(input: DescMessage, names: readonly string[]): FieldPath {
  const name = names.join('.')
  const path = resolveFieldPath(input, names)
  if (path === undefined) throw new TemplateError(`"${name}" is no field of ${input.typeName} that a path can set`)
  if (path.isRepeated) throw new TemplateError(`"${name}" is a list, which a path cannot set`)
  return path
}

function topField(desc: DescMessage, name: string, what: string): DescField {
  const field = fieldNamed(desc, name)
  if (field === undefined) throw new TemplateError(`its ${what} "${name}" is no field of ${desc.typeName}`)
  return field
}
