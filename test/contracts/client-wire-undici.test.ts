import { createUndiciClient } from '../../src/wire/node/client-undici.ts'
import { clientTunnelContract } from './client-tunnel.ts'
import { clientWireContract } from './client-wire.ts'

clientWireContract('undici as a client wire', createUndiciClient, {
  takesContinue: false,
  sendsTrailers: false,
  keepsAfterHead: false,
})
clientTunnelContract('undici as a client wire', createUndiciClient)
