import { createBothVersions } from '../wire/both-versions.ts'
import { createHttp1Server } from '../wire/http1/http1-server.ts'
import { createNodeServer } from '../wire/node/node-server.ts'
import { compileInSlices } from './compile.ts'
import { runWorkerThread } from './worker-thread.ts'

runWorkerThread({
  compile: compileInSlices,
  createWire: (kind, options) => createBothVersions(options, kind === 'node' ? createNodeServer : createHttp1Server),
})
