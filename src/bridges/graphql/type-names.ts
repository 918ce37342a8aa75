import type { DescEnum, DescField, DescMessage, DescOneof } from '@bufbuild/protobuf'
import type { GrpcMethod } from '../descriptors/descriptors.ts'
import { NamePlan, pascalCase } from './names.ts'
import { scalarNames } from './scalars.ts'
import { fieldShape, messageShape } from './shapes.ts'

export type Direction = 'output' | 'input'

/** The names of all types that the methods of a schema use. */
export class TypeNames {
  readonly #plan = new NamePlan(scalarNames)
  readonly #seen = new Set<string>()

  constructor(methods: readonly GrpcMethod[]) {
    for (const { input, output } of methods) {
      this.#message(input, 'input')
      this.#message(output, 'output')
    }
  }

  message(desc: DescMessage, direction: Direction): string {
    return this.#plan.of(`${desc.typeName} ${direction}`)
  }

  enum(desc: DescEnum): string {
    return this.#plan.of(desc.typeName)
  }

  entry(field: DescField, direction: Direction): string {
    return this.#plan.of(`${field.parent.typeName}.${field.name} ${direction}`)
  }

  oneof(oneof: DescOneof): string {
    return this.#plan.of(`${oneof.parent.typeName}.${oneof.name} oneof`)
  }

  #message(desc: DescMessage, direction: Direction): void {
    if (messageShape(desc).kind !== 'object') return
    const key = `${desc.typeName} ${direction}`
    if (this.#seen.has(key)) return
    this.#seen.add(key)
    const suffix = direction === 'input' ? 'Input' : ''
    this.#want(key, desc, suffix)
    for (const field of desc.fields) {
      if (field.fieldKind === 'map')
        this.#want(`${desc.typeName}.${field.name} ${direction}`, desc, `${pascalCase(field.name)}Entry${suffix}`)
      const shape = fieldShape(field)
      if (shape.kind === 'object') this.#message(shape.desc, direction)
      else if (shape.kind === 'enum') this.#want(shape.desc.typeName, shape.desc, '')
    }
    if (direction === 'output') return
    for (const oneof of desc.oneofs) this.#want(`${desc.typeName}.${oneof.name} oneof`, desc, `${pascalCase(oneof.name)}${suffix}`)
  }

  #want(key: string, { typeName, file }: DescMessage | DescEnum, suffix: string): void {
    const inPackage = file.proto.package === '' ? typeName : typeName.slice(file.proto.package.length + 1)
    this.#plan.want(key, inPackage.replaceAll('.', '_') + suffix, typeName.replaceAll('.', '_') + suffix)
  }
}
