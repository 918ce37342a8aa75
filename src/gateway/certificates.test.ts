import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gatewayModel } from '../../test/support/gateway-model.ts'
import { workFolder } from '../../test/support/velum-process.ts'
import { silentLog } from '../core/log.ts'
import { ManualClock } from '../core/manual-clock.ts'
import { Certificates } from './certificates.ts'

test('the admin server learns of every other certificate, also after a configuration without any', async (t) => {
  const { path } = workFolder(t)
  const told: string[] = []
  const certificates = new Certificates({
    clock: new ManualClock(Date.now()),
    log: silentLog,
    changed: (place, { certificates: served }) => told.push(`${place} ${served[0].names.includes('later.test')}`),
  })
  t.after(() => certificates.close())
  const take = async (devNames: readonly string[] | undefined): Promise<void> => {
    const tls = devNames === undefined ? undefined : { dev: true, devNames, certificates: [], minVersion: 'TLSv1.2' as const }
    const admin = { host: '127.0.0.1', port: 0, names: [], tls }
    const model = gatewayModel({ store: { kind: 'embedded', path }, listeners: [], admin })
    ;(await certificates.prepare(model, path)).commit()
  }
  await take([])
  await take(undefined)
  told.length = 0
  await take(['later.test'])
  assert.deepEqual(told, ['admin true'])
})
