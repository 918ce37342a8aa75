import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readAll } from '../core/body.ts'
import { certificateFamilies, certificateStatuses } from '../gateway/certificate-status.ts'
import type { AcmeStatus } from '../gateway/certificate-status.ts'
import type { ServedCertificate } from '../gateway/certificates.ts'
import { metricsText } from '../gateway/metrics-text.ts'
import { exchangeOf } from '../../test/support/exchange.ts'
import { certificateEndpoints } from './certificate-endpoints.ts'

const at = (day: number): number => Date.UTC(2026, 0, day)

function served(place: string, source: ServedCertificate['source'], name: string): ServedCertificate {
  const material = {
    source: `${name}.pem`,
    cert: 'CERT',
    key: 'KEY',
    names: [name],
    validFrom: at(1),
    expiresAt: at(31),
    fingerprint: 'f',
  }
  return { place, source, material }
}

function ordered(name: string, over: Partial<AcmeStatus>): { place: string; status: AcmeStatus } {
  const status: AcmeStatus = {
    name,
    directory: 'https://ca.test/dir',
    state: 'issued',
    failures: 0,
    lastOrderAt: at(1),
    lastError: undefined,
    nextOrderAt: at(21),
    ...over,
  }
  return { place: 'listeners.api', status }
}

const statuses = certificateStatuses(
  [served('listeners.api', 'file', 'a.test'), served('listeners.api', 'acme', 'b.test'), served('admin', 'dev', 'localhost')],
  [ordered('b.test', {}), ordered('c.test', { state: 'failing', failures: 2, lastError: 'no such name', lastOrderAt: undefined })],
)

test('every certificate that is served or waited for is shown, and no key', async () => {
  const [endpoint] = certificateEndpoints({ certificates: () => statuses })
  const answer = await endpoint.handle(exchangeOf({ target: '/api/certificates' }))
  const text = String(await readAll(answer.body, 10_000))
  assert.doesNotMatch(text, /KEY|CERT/)
  const { certificates } = JSON.parse(text) as { certificates: unknown[] }
  const life = { notBefore: '2026-01-01T00:00:00.000Z', notAfter: '2026-01-31T00:00:00.000Z', fingerprint: 'f' }
  const acme = { directory: 'https://ca.test/dir', nextOrder: '2026-01-21T00:00:00.000Z' }
  assert.deepEqual(certificates, [
    { place: 'listeners.api', source: 'file', names: ['a.test'], file: 'a.test.pem', ...life },
    {
      place: 'listeners.api',
      source: 'acme',
      names: ['b.test'],
      ...life,
      acme: { ...acme, name: 'b.test', state: 'issued', failures: 0, lastOrder: '2026-01-01T00:00:00.000Z' },
    },
    { place: 'admin', source: 'dev', names: ['localhost'], ...life },
    {
      place: 'listeners.api',
      source: 'acme',
      names: ['c.test'],
      acme: { ...acme, name: 'c.test', state: 'failing', failures: 2, lastError: 'no such name' },
    },
  ])
})

test('their ends are metrics, and so is how often they could not be had', () => {
  const text = metricsText(certificateFamilies(statuses))
  const end = at(31) / 1000
  assert.match(
    text,
    new RegExp(`^velum_certificate_expiry_timestamp_seconds\\{place="listeners.api",source="file",name="a.test"\\} ${end}$`, 'm'),
  )
  assert.doesNotMatch(text, /expiry_timestamp_seconds\{.*c\.test/)
  assert.match(text, /^velum_acme_failures\{name="c.test"\} 2$/m)
})
