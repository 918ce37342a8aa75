// A service with a few workers: each does one job at a time, and who finds none idle waits in line. So under more load than
// it can take its answers become slow. Probes need no worker. Usage: queueing-service.mjs WORKERS JOB_MS, with a channel:
// says { url }; told { jobMs } it works so long on each job from then on, and says { jobMs }; told { ask: 'state' } it says
// { waiting, answered, probes }.
import { createServer } from 'node:http'

const workers = Number(process.argv[2])
let jobMs = Number(process.argv[3])
let busy = 0
let answered = 0
let probes = 0
const line = []

function work() {
  if (busy === workers || line.length === 0) return
  const response = line.shift()
  busy++
  setTimeout(() => {
    busy--
    answered++
    response.end('done')
    work()
  }, jobMs)
}

const server = createServer((request, response) => {
  if (request.url === '/healthz') {
    probes++
    response.end()
    return
  }
  line.push(response)
  work()
})
// The listen backlog is for a crowd that comes all at once.
server.listen({ port: 0, host: '127.0.0.1', backlog: 2048 }, () => {
  process.send({ url: `http://127.0.0.1:${server.address().port}` })
})
process.on('message', (message) => {
  if (message.jobMs === undefined) process.send({ waiting: line.length, answered, probes })
  else {
    jobMs = message.jobMs
    process.send({ jobMs })
  }
})
process.on('disconnect', () => process.exit())
