import type { Dialect } from '../policies/shapes/shape.ts'

const always = [
  '$id',
  '$schema',
  '$ref',
  '$comment',
  'definitions',
  'title',
  'description',
  'default',
  'examples',
  'readOnly',
  'writeOnly',
  'type',
  'enum',
  'const',
  'multipleOf',
  'maximum',
  'exclusiveMaximum',
  'minimum',
  'exclusiveMinimum',
  'maxLength',
  'minLength',
  'pattern',
  'format',
  'items',
  'maxItems',
  'minItems',
  'uniqueItems',
  'contains',
  'maxProperties',
  'minProperties',
  'required',
  'properties',
  'patternProperties',
  'additionalProperties',
  'propertyNames',
  'if',
  'then',
  'else',
  'allOf',
  'anyOf',
  'oneOf',
  'not',
  'contentEncoding',
  'contentMediaType',
  'dependencies',
  'additionalItems',
]
const since2019 = [
  '$anchor',
  '$defs',
  '$vocabulary',
  '$recursiveRef',
  '$recursiveAnchor',
  'deprecated',
  'contentSchema',
  'dependentRequired',
  'dependentSchemas',
  'maxContains',
  'minContains',
  'unevaluatedItems',
  'unevaluatedProperties',
]
const since2020 = ['$dynamicRef', '$dynamicAnchor', 'prefixItems']

const byDialect: Readonly<Record<Dialect, ReadonlySet<string>>> = {
  'draft-07': new Set(always),
  '2019-09': new Set([...always, ...since2019]),
  '2020-12': new Set([...always, ...since2019, ...since2020]),
}

/** Every keyword that means something in a dialect. */
export function keywordsOf(dialect: Dialect): ReadonlySet<string> {
  return byDialect[dialect]
}
