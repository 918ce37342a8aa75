import { ScalarType } from '@bufbuild/protobuf'
import type { DescEnum, DescField, DescMessage } from '@bufbuild/protobuf'
import { hasCustomJsonRepresentation, isWrapperDesc } from '@bufbuild/protobuf/wkt'
import { Fault } from '../../core/fault.ts'
import { enumWords, scalarWords, wellKnownWords } from '../json/explain-json.ts'
import { fieldNamed } from '../json/settle-numbers.ts'
import type { Json } from '../json/json-text.ts'

/** A field that a parameter of path or query sets, through messages that are made on the way. */
export interface FieldPath {
  readonly fields: readonly DescField[]
  /** The last of them. */
  readonly leaf: DescField
  readonly isRepeated: boolean
  /** The JSON value of a parameter's text; throws the text of what it must be. */
  readonly read: (text: string) => Json
}

/** The field that a dotted path of names (JSON's or the proto's own) leads to; undefined when it leads to none that a text can set. */
export function resolveFieldPath(desc: DescMessage, names: readonly string[]): FieldPath | undefined {
  const fields: DescField[] = []
  let here: DescMessage | undefined = desc
  for (const name of names) {
    const field: DescField | undefined = here === undefined ? undefined : fieldNamed(here, name)
    if (field === undefined) return undefined
    fields.push(field)
    // Nothing inside of a list, a map, or a type that JSON writes as one value can be named.
    here = field.fieldKind === 'message' && !hasCustomJsonRepresentation(field.message) ? field.message : undefined
  }
  const leaf = fields.at(-1)
  const read = leaf === undefined ? undefined : readerOf(leaf)
  return leaf === undefined || read === undefined ? undefined : { fields, leaf, isRepeated: leaf.fieldKind === 'list', read }
}

function readerOf(field: DescField): ((text: string) => Json) | undefined {
  switch (field.fieldKind) {
    case 'scalar':
      return scalarReader(field.scalar)
    case 'enum':
      return enumReader(field.enum)
    case 'message':
      return messageReader(field.message)
    case 'list':
      if (field.listKind === 'scalar') return scalarReader(field.scalar)
      return field.listKind === 'enum' ? enumReader(field.enum) : messageReader(field.message)
    default:
      return undefined
  }
}

function messageReader(desc: DescMessage): ((text: string) => Json) | undefined {
  if (isWrapperDesc(desc)) return scalarReader(desc.fields[0].scalar)
  const isText = ['Timestamp', 'Duration', 'FieldMask'].some((name) => desc.typeName === `google.protobuf.${name}`)
  if (!isText) return undefined
  const words = wellKnownWords(desc)
  return (text) => (text === '' && desc.typeName !== 'google.protobuf.FieldMask' ? wrong(words) : text)
}

function wrong(words: string): never {
  throw new Fault('unfit-message', words)
}

const integerForm = /^-?\d{1,20}$/
const numberForm = /^-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/

function scalarReader(type: ScalarType): (text: string) => Json {
  const words = scalarWords(type)
  switch (type) {
    case ScalarType.STRING:
      return (text) => text
    case ScalarType.BOOL:
      return (text) => (text === 'true' ? true : text === 'false' ? false : wrong(words))
    case ScalarType.BYTES:
      return (text) => base64Text(text) ?? wrong(words)
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return (text) => (numberForm.test(text) ? Number(text) : /^(?:NaN|-?Infinity)$/.test(text) ? text : wrong(words))
    default:
      return (text) => (integerForm.test(text) ? text : wrong(words))
  }
}

function enumReader(desc: DescEnum): (text: string) => Json {
  const words = enumWords(desc)
  return (text) => {
    if (desc.values.some(({ name }) => name === text)) return text
    // Beyond 32 bits nothing is an enum; wrapping around would name another value.
    return integerForm.test(text) && Math.abs(Number(text)) < 2 ** 31 ? Number(text) : wrong(words)
  }
}

/** Either alphabet, padded or not, as the padded standard one; undefined for what is neither. */
function base64Text(text: string): string | undefined {
  const bare = text.replace(/={1,2}$/, '')
  if (!/^(?:[A-Za-z0-9+/]*|[A-Za-z0-9\-_]*)$/.test(bare) || bare.length % 4 === 1) return undefined
  const standard = bare.replaceAll('-', '+').replaceAll('_', '/')
  return standard.padEnd(Math.ceil(standard.length / 4) * 4, '=')
}
