import { trimSpace } from '../../lib/trim-space.ts'

/** A form of gRPC-Web: its media type, and whether its bytes travel as base64. */
export interface WebForm {
  readonly type: string
  readonly isText: boolean
}

const forms: ReadonlyMap<string, WebForm> = new Map(
  ['application/grpc-web', 'application/grpc-web+proto', 'application/grpc-web-text', 'application/grpc-web-text+proto'].map(
    (type) => [type, { type: type.endsWith('+proto') ? type : `${type}+proto`, isText: type.includes('-text') }],
  ),
)

/** The form of a content type, by what stands in front of its parameters; undefined for anything but gRPC-Web. */
export function webFormOf(contentType: string | undefined): WebForm | undefined {
  if (contentType?.startsWith('application/grpc-web') !== true) return undefined
  const semicolon = contentType.indexOf(';')
  return forms.get(semicolon === -1 ? contentType : trimSpace(contentType.slice(0, semicolon)))
}
