// `node idle-clients.ts PORT COUNT`: opens so many connections, makes one request on each and keeps them open. Prints
// "ready" when every request was answered, and ends when its input does.
import { connect } from 'node:net'

const [port, count] = process.argv.slice(2).map(Number)
const atOnce = 100
let opened = 0
let answered = 0

function open(): void {
  if (opened === count) return
  opened++
  const socket = connect(port, '127.0.0.1', () =>
    socket.write('GET /bytes/100 HTTP/1.1\r\nHost: bench.example\r\nUser-Agent: idle\r\n\r\n'),
  )
  socket.once('data', () => {
    answered++
    if (answered === count) console.log('ready')
    else open()
  })
  socket.on('error', (error) => {
    console.error(`connection ${opened}: ${error.message}`)
    process.exit(1)
  })
  socket.on('close', () => {
    console.error('a connection was closed')
    process.exit(1)
  })
}
for (let i = 0; i < atOnce; i++) open()
process.stdin.on('end', () => process.exit(0))
process.stdin.resume()
