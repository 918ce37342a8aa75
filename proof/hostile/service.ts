// The services behind the gateway under attack, in a process of their own: one of HTTP/1.1 with WebSockets on the port given, and
// the demo's billing over gRPC on the
// next one, where one is given.
import { createServer } from 'node:http'
import { startBilling } from '../../demo/billing.ts'
import { echoWebSocket } from '../../demo/websocket-echo.ts'

const [port, grpcPort] = process.argv.slice(2).map(Number)
const large = Buffer.alloc(1_048_576, 'l')

const server = createServer((incoming, response) => {
  incoming.resume()
  incoming.on('end', () => {
    if (incoming.url?.startsWith('/open/large') === true) response.end(large)
    else response.end('{"answer":"from the service"}')
  })
})
server.on('upgrade', echoWebSocket)
if (grpcPort !== undefined) await startBilling(grpcPort)
server.listen(port, '127.0.0.1', 4096)
