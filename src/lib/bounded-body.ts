/** Reads what a fetch got to its end; throws what `tooLarge` makes as soon as there is more than `maxBytes` of it. */
export async function readBoundedBody({ body }: Pick<Response, 'body'>, maxBytes: number, tooLarge: () => Error): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of body ?? []) {
    length += chunk.length
    if (length > maxBytes) throw tooLarge()
    chunks.push(chunk)
  }
  return Buffer.concat(chunks, length)
}
