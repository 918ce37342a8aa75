import type { ErrorObject } from 'ajv'
import { pointerStep } from './schema-tree.ts'
import { maxMisfits } from './shape.ts'

/** Where in a value something does not fit, and why. */
export interface SchemaFault {
  /** RFC 6901, as a URI fragment: `#/items/0/price`; `#` is the value itself. */
  readonly pointer: string
  /** Never holds a text of the value. */
  readonly detail: string
}

const maxDetail = 200

/** The faults in the order in which they were found, each place and reason once, bounded. */
export function faultsOf(errors: readonly ErrorObject[]): SchemaFault[] {
  const faults: SchemaFault[] = []
  const seen = new Set<string>()
  for (const error of errors) {
    // Says only that what stands behind it failed, which has been said.
    if (error.keyword === 'if' || error.keyword === '$ref') continue
    const fault = faultOf(error)
    const key = `${fault.pointer}\n${fault.detail}`
    if (seen.has(key)) continue
    seen.add(key)
    faults.push(fault)
    if (faults.length === maxMisfits) break
  }
  return faults
}

function faultOf({ keyword, instancePath, params, message = 'does not fit' }: ErrorObject): SchemaFault {
  const given = params as Readonly<Record<string, unknown>>
  const base = `#${fragment(instancePath)}`
  switch (keyword) {
    case 'required':
      return { pointer: `${base}/${step(given['missingProperty'])}`, detail: 'is required' }
    case 'additionalProperties':
      return { pointer: `${base}/${step(given['additionalProperty'])}`, detail: 'is not expected here' }
    case 'unevaluatedProperties':
      return { pointer: `${base}/${step(given['unevaluatedProperty'])}`, detail: 'is not expected here' }
    case 'enum':
      return { pointer: base, detail: `must be ${oneOf(given['allowedValues'] as readonly unknown[])}`.slice(0, maxDetail) }
    case 'uniqueItems':
      return { pointer: base, detail: 'must not hold the same item twice' }
    case 'false schema':
      return { pointer: base, detail: 'is not expected here' }
    case 'propertyNames':
      return { pointer: `${base}/${step(given['propertyName'])}`, detail: 'has a name that is not allowed here' }
    case 'dependentRequired':
    case 'dependencies':
      return {
        pointer: `${base}/${step(given['missingProperty'])}`,
        detail: `is required beside ${String(given['property'])}`.slice(0, maxDetail),
      }
    default:
      return { pointer: base, detail: message.slice(0, maxDetail) }
  }
}

function oneOf(values: readonly unknown[]): string {
  if (values.length > 12) return 'one of the allowed values'
  const texts = values.map((value) => JSON.stringify(value))
  return texts.length === 1 ? texts[0] : `one of ${texts.join(', ')}`
}

/** A name as one step of a pointer in a URI fragment (RFC 6901 §6); cut where a client made it very long. */
function step(name: unknown): string {
  return fragment(pointerStep(String(name).slice(0, maxDetail)))
}

function fragment(pointer: string): string {
  return encodeURI(pointer.slice(0, 4 * maxDetail).toWellFormed()).replaceAll('#', '%23')
}
