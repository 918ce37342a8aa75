import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { serverAudits } from 'graphql-http'
import { shelfProto, startShelf } from '../support/shelf-service.ts'
import { readyListeners, startVelum, workFolder } from '../support/velum-process.ts'

/** Some audits ask for the schema. */
const config = `
listeners: { plain: { host: 127.0.0.1, port: 0 } }
log: { format: none }
services: { shelf: { url: '\${SHELF}', protos: '\${SHELF_PROTO}' } }
defaults: { auth: public }
routes: [{ name: graphql, match: { path: '/graphql' }, to: shelf, bridge: { use: graphql, introspection: true, statusCodes: '2025' } }]
`

suite('the audit of graphql-http, with the codes that it knows (those before August 2026)', { timeout: 120_000 }, () => {
  test('passes in full', async (t) => {
    const folder = workFolder(t)
    const shelf = await startShelf(t)
    folder.write('velum.config.yaml', config)
    const env = { SHELF: shelf.url, SHELF_PROTO: fileURLToPath(shelfProto) }
    const velum = startVelum(t, ['run', '--workers', '1'], { folder: folder.path, env })
    const base = (await readyListeners(velum))['plain']
    const audits = serverAudits({ url: new URL('graphql', base).href })
    assert.ok(audits.length >= 61, `there are ${audits.length} audits`)
    for (const audit of audits) {
      await t.test(`${audit.id} ${audit.name}`, async () => {
        const result = await audit.fn()
        assert.equal(result.status, 'ok', 'reason' in result ? result.reason : '')
      })
    }
  })
})
