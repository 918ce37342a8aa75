import type { DescField, DescMessage, DescMethod } from '@bufbuild/protobuf'
import type { Descriptors } from './descriptors.ts'

/** What callers of the earlier descriptors can no longer do or would misread; at most a few, in words of the operator's. */
export function incompatibleChanges(before: Descriptors, after: Descriptors): string[] {
  const changes: string[] = []
  for (const [path, method] of before.methods) {
    const now = after.methods.get(path)
    const name = path.slice(1)
    if (now === undefined) changes.push(`the method ${name} is gone`)
    else if (now.desc.methodKind !== method.desc.methodKind) changes.push(`${name} streams in another way`)
    else changes.push(...typeChange(name, method.desc, now.desc))
  }
  for (const type of before.registry) {
    if (type.kind !== 'message' || type.typeName.startsWith('google.')) continue
    const now = after.registry.getMessage(type.typeName)
    if (now !== undefined) changes.push(...fieldChanges(type, now))
  }
  return changes.length > maxChanges ? [...changes.slice(0, maxChanges), `and ${changes.length - maxChanges} more`] : changes
}

const maxChanges = 20

function typeChange(name: string, before: DescMethod, after: DescMethod): string[] {
  const input = before.input.typeName === after.input.typeName ? [] : [`${name} takes another message, ${after.input.typeName}`]
  const output = before.output.typeName === after.output.typeName ? [] : [`${name} gives another message, ${after.output.typeName}`]
  return [...input, ...output]
}

function fieldChanges(before: DescMessage, after: DescMessage): string[] {
  return before.fields.flatMap((field) => {
    const now = after.fields.find(({ number }) => number === field.number)
    if (now === undefined) return [`the field ${before.typeName}.${field.name} is gone`]
    if (now.jsonName !== field.jsonName) return [`the field ${before.typeName}.${field.name} is called ${now.name} now`]
    return typeOf(now) === typeOf(field) ? [] : [`the field ${before.typeName}.${field.name} has another type`]
  })
}

function typeOf(field: DescField): string {
  const type = field.scalar ?? field.message?.typeName ?? field.enum?.typeName ?? ''
  return `${field.fieldKind} ${field.fieldKind === 'map' ? field.mapKey : ''} ${type}`
}
