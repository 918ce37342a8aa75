import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gatewayModel } from '../../test/support/gateway-model.ts'
import type { AdminModel, GatewayModel, TlsModel } from '../config/model.ts'
import { waitingForStart } from './next-start.ts'

const admin: AdminModel = { host: '127.0.0.1', port: 9000, names: [] }
const tls: TlsModel = { dev: true, devNames: [], certificates: [], minVersion: 'TLSv1.2' }

function told(before: Partial<GatewayModel>, after: Partial<GatewayModel>): string[] {
  const store = { kind: 'embedded', path: '/nowhere' } as const
  const findings = waitingForStart(gatewayModel({ store, ...before }), gatewayModel({ store, ...after }), 'velum.config.ts')
  assert.ok(findings.every(({ severity, file }) => severity === 'warning' && file === 'velum.config.ts'))
  assert.ok(!JSON.stringify(findings).includes('geheim'))
  return findings.map(({ path, remedy }) => `${path}: ${remedy}`)
}

test('TLS that a reload gives to the admin server, or takes from it, is said to wait for a start', () => {
  assert.deepEqual(told({ admin }, { admin: { ...admin, tls } }), [
    'admin.tls: start the gateway anew; until then its admin port speaks plain HTTP',
  ])
  assert.deepEqual(told({ admin: { ...admin, tls } }, { admin }), [
    'admin.tls: start the gateway anew; until then its admin port speaks HTTPS',
  ])
  const other = { ...tls, dev: false, certificates: [{ cert: 'a.pem', key: 'a.key', names: [] }] }
  assert.deepEqual(told({ admin: { ...admin, tls } }, { admin: { ...admin, tls: other } }), [], 'certificates change at once')
})

test('all that only a start changes is said, each once, and nothing of what a reload changes', () => {
  const [one, two] = ['geheim '.repeat(5), 'geheimer '.repeat(4)]
  const probes = { host: '127.0.0.1', port: 9001 }
  assert.deepEqual(told({}, { admin: { ...admin, tls }, probes, secrets: [one], cacheBytes: 1 }), [
    'admin: start the gateway anew',
    'probes: start the gateway anew',
    'secret: start the gateway anew',
    'cache.memory: start the gateway anew',
  ])
  assert.deepEqual(told({ admin }, { admin: { ...admin, port: 9001, names: ['a'] } }), [
    'admin.port: start the gateway anew',
    'admin.names: start the gateway anew',
  ])
  assert.deepEqual(told({ secrets: [one] }, { secrets: [two, one] }), ['secret: start the gateway anew'])
  const log = { format: 'json', file: 'stdout', level: 'debug' } as const
  assert.deepEqual(told({ admin, probes, secrets: [one] }, { admin, probes, secrets: [one], log, name: 'other' }), [])
})
