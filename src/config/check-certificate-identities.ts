import { certificateNameKinds } from '../identity/certificate-names.ts'
import type { CertificateNameKind } from '../identity/certificate-names.ts'
import type { CertificateSpec } from '../identity/identity-spec.ts'
import type { CheckContext } from './check-context.ts'
import { checkedNames, namesOf } from './check-context.ts'
import type { ConfigPath } from './finding.ts'
import { certificateIdentitySchema } from './schema/identity.ts'
import { checkName } from './unknown-name.ts'

const section = ['identity', 'certificates'] as const

/** Whom certificates of clients stand for. */
export function checkCertificateIdentities(context: CheckContext): CertificateSpec[] {
  const specs = checkedNames(context, section).flatMap((name) => certificateSpec(context, name) ?? [])
  checkDoubles(context, specs)
  return specs
}

function certificateSpec(context: CheckContext, name: string): CertificateSpec | undefined {
  const path: ConfigPath = [...section, name]
  const read = context.reading.readFields(certificateIdentitySchema, path)
  if (read === undefined) return undefined
  if (certificateNameKinds.every((kind) => context.reading.at([...path, kind]) === undefined)) {
    const remedy = `name its holders by ${certificateNameKinds.slice(1).join(', ')} or fingerprint`
    context.findings.error(path, 'nothing says which certificates are meant', remedy)
  }
  const named = (kind: CertificateNameKind): readonly string[] =>
    (read[kind] ?? []).map((text) => checkedName(context, [...path, kind], kind, text))
  const listeners = namesOf(context, ['listeners'])
  for (const [i, listener] of (read.listeners ?? []).entries()) {
    checkName(context.findings, [...path, 'listeners', i], 'listener', listener, listeners)
  }
  return {
    name,
    fingerprint: named('fingerprint'),
    uri: named('uri'),
    dns: named('dns'),
    email: named('email'),
    commonName: named('commonName'),
    listeners: read.listeners ?? [],
    subject: read.subject,
    tenant: read.tenant,
    scopes: read.scopes ?? [],
    roles: read.roles ?? [],
  }
}

const label = '[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?'
const hostPattern = new RegExp(`^(?:\\*\\.)?${label}(?:\\.${label})*$`)

const forms: Readonly<Record<CertificateNameKind, { readonly test: (text: string) => boolean; readonly remedy: string }>> = {
  fingerprint: {
    test: (text) => /^[0-9a-f]{64}$/.test(text),
    remedy: 'write 64 hex digits: openssl x509 -noout -fingerprint -sha256',
  },
  uri: {
    test: (text) => /^[a-z][a-z0-9+.-]*:[^*\s]+(?:\/\*)?$/i.test(text),
    remedy: 'write a whole URI, such as spiffe://example.org/orders, or one that ends with /*',
  },
  dns: { test: (text) => hostPattern.test(text), remedy: 'write a host name, such as worker.internal or *.workers.internal' },
  email: { test: (text) => /^[^@*\s]+@[^@*\s]+$/.test(text), remedy: 'write a whole mail address' },
  commonName: { test: (text) => !text.includes('*'), remedy: 'write the whole common name' },
}

function checkedName(context: CheckContext, path: ConfigPath, kind: CertificateNameKind, written: string): string {
  const text = kind === 'fingerprint' ? written.replaceAll(':', '').toLowerCase() : kind === 'dns' ? written.toLowerCase() : written
  const { test, remedy } = forms[kind]
  if (!test(text)) context.findings.error(path, `${context.reading.show(written, path)} is no ${words[kind]}`, remedy)
  return text
}

const words: Readonly<Record<CertificateNameKind, string>> = {
  fingerprint: 'SHA-256 in hex',
  uri: 'URI of a certificate',
  dns: 'host name',
  email: 'mail address',
  commonName: 'common name',
}

/** A name that leads to two could lead to either. */
function checkDoubles(context: CheckContext, specs: readonly CertificateSpec[]): void {
  for (const [i, spec] of specs.entries()) {
    for (const other of specs.slice(0, i)) {
      const isApart = spec.listeners.length > 0 && other.listeners.length > 0
      if (isApart && !spec.listeners.some((listener) => other.listeners.includes(listener))) continue
      for (const kind of certificateNameKinds) {
        const name = spec[kind].find((text) => other[kind].includes(text))
        if (name === undefined) continue
        context.findings.error(
          [...section, spec.name, kind],
          `"${other.name}" has this name already`,
          'keep it in one of the two, or give each its own listeners',
        )
      }
    }
  }
}
