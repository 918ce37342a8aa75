import type { DescField, DescMessage, DescOneof } from '@bufbuild/protobuf'
import { NamePlan, camelCase, nameOf } from './names.ts'

/** The names of a message's fields in GraphQL: those of JSON, unless two would be the same. */
export interface FieldNames {
  of(member: DescField | DescOneof): string
}

const made = new WeakMap<DescMessage, FieldNames>()

/** Names for the fields of a message, and for its oneofs, which inputs have as fields. */
export function fieldNames(desc: DescMessage): FieldNames {
  let names = made.get(desc)
  if (names === undefined) {
    const plan = new NamePlan([])
    for (const field of desc.fields) plan.want(keyOf(field), nameOf(field.jsonName), `${nameOf(field.jsonName)}_${field.number}`)
    for (const oneof of desc.oneofs) plan.want(keyOf(oneof), camelCase(oneof.name), `${camelCase(oneof.name)}_oneof`)
    names = { of: (member) => plan.of(keyOf(member)) }
    made.set(desc, names)
  }
  return names
}

function keyOf(member: DescField | DescOneof): string {
  return `${member.kind} ${member.name}`
}
