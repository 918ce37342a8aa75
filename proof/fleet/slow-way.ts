// The way to a store that is slow: node slow-way.ts HOST PORT TARGET-PORT DELAY-MS. Says so on stdout once it is open.
import { startTcpProxy } from '../../test/support/tcp-proxy.ts'

const [host, port, target, delayMs] = process.argv.slice(2)
const proxy = await startTcpProxy(Number(target), { host, port: Number(port) })
proxy.delayMs = Number(delayMs)
console.log('open')
