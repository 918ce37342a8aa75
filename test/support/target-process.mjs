// A target that can be killed: answers every request with the port it was asked at. Usage: target-process.mjs PORT
import { createServer } from 'node:http'

const server = createServer((request, response) => {
  setTimeout(() => response.end(String(server.address().port)), 2)
  request.resume()
})
server.listen(Number(process.argv[2]), '127.0.0.1', () => process.stdout.write(`${server.address().port}\n`))
