/** Content as tests write it: text, bytes, or a value that is sent as JSON. */
export type Content = string | Uint8Array | object

/** The bytes of a content, and the type that it has by itself. */
export function contentBytes(content: Content | undefined): { readonly bytes: Buffer; readonly type: string | undefined } {
  if (content === undefined) return { bytes: Buffer.alloc(0), type: undefined }
  if (typeof content === 'string') return { bytes: Buffer.from(content), type: 'text/plain; charset=utf-8' }
  if (content instanceof Uint8Array) return { bytes: Buffer.from(content), type: 'application/octet-stream' }
  return { bytes: Buffer.from(JSON.stringify(content)), type: 'application/json' }
}
