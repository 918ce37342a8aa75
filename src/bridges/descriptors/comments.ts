import type {
  DescEnum,
  DescEnumValue,
  DescField,
  DescFile,
  DescMessage,
  DescMethod,
  DescOneof,
  DescService,
} from '@bufbuild/protobuf'

type Commented = DescEnum | DescEnumValue | DescField | DescMessage | DescMethod | DescOneof | DescService

const read = new WeakMap<DescFile, ReadonlyMap<string, string>>()

/** What a `.proto` says of something in the comment before it, else behind it; undefined when nothing, or comments were left out. */
export function commentOf(desc: Commented): string | undefined {
  const file = fileOf(desc)
  let comments = read.get(file)
  if (comments === undefined) {
    comments = commentsOf(file)
    read.set(file, comments)
  }
  return comments.get(pathOf(desc).join(' '))
}

function commentsOf({ proto }: DescFile): ReadonlyMap<string, string> {
  const comments = new Map<string, string>()
  for (const { path, leadingComments, trailingComments } of proto.sourceCodeInfo?.location ?? []) {
    const text = leadingComments === '' ? trailingComments : leadingComments
    // Every line begins with the space that stands behind its "//".
    const words = text.replaceAll(/^ /gm, '').trim()
    if (words !== '') comments.set(path.join(' '), words)
  }
  return comments
}

function fileOf(desc: Commented): DescFile {
  return 'file' in desc ? desc.file : desc.parent.file
}

/** The place of something in its file, as `SourceCodeInfo.Location.path` has it: field numbers of descriptor.proto, and indexes. */
function pathOf(desc: Commented): readonly number[] {
  switch (desc.kind) {
    case 'message':
      return desc.parent === undefined
        ? [4, desc.file.proto.messageType.indexOf(desc.proto)]
        : [...pathOf(desc.parent), 3, desc.parent.proto.nestedType.indexOf(desc.proto)]
    case 'enum':
      return desc.parent === undefined
        ? [5, desc.file.proto.enumType.indexOf(desc.proto)]
        : [...pathOf(desc.parent), 4, desc.parent.proto.enumType.indexOf(desc.proto)]
    case 'enum_value':
      return [...pathOf(desc.parent), 2, desc.parent.proto.value.indexOf(desc.proto)]
    case 'field':
      return [...pathOf(desc.parent), 2, desc.parent.proto.field.indexOf(desc.proto)]
    case 'oneof':
      return [...pathOf(desc.parent), 8, desc.parent.proto.oneofDecl.indexOf(desc.proto)]
    case 'service':
      return [6, desc.file.proto.service.indexOf(desc.proto)]
    default:
      return [...pathOf(desc.parent), 2, desc.parent.proto.method.indexOf(desc.proto)]
  }
}
