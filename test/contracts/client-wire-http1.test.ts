import { createHttp1Client } from '../../src/wire/http1/pool.ts'
import { clientTunnelContract } from './client-tunnel.ts'
import { clientWireContract } from './client-wire.ts'

clientWireContract('our HTTP/1.1 client', createHttp1Client, { takesContinue: true, sendsTrailers: true, keepsAfterHead: true })
clientTunnelContract('our HTTP/1.1 client', createHttp1Client)
