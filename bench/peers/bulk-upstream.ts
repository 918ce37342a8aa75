// `node bulk-upstream.ts PORT`: GET /bytes/N sends N bytes as fast as they are taken; a POST is read to its end and
// answered with the number of its bytes.
import { createServer } from 'node:http'
import { Readable } from 'node:stream'

const piece = Buffer.alloc(65_536, 'x')

function* pieces(total: number): Generator<Buffer> {
  for (let left = total; left > 0; left -= piece.length) yield left >= piece.length ? piece : piece.subarray(0, left)
}

createServer((request, response) => {
  if (request.method === 'POST' || request.method === 'PUT') {
    let bytes = 0
    request.on('data', (chunk: Buffer) => (bytes += chunk.length))
    request.on('end', () => response.end(String(bytes)))
    return
  }
  const total = Number(request.url?.split('/')[2] ?? 0)
  response.setHeader('content-length', total)
  Readable.from(pieces(total), { objectMode: false }).pipe(response)
}).listen(Number(process.argv[2]), '127.0.0.1')
