import { z } from 'zod'
import { checkAcme, checkNotInFiles } from './check-acme.ts'
import { checkAuthorities, checkCertificate, checkRevocationList } from './check-certificate.ts'
import type { CheckContext } from './check-context.ts'
import { absolutePath } from './check-context.ts'
import type { ConfigPath } from './finding.ts'
import type { TlsModel } from './model.ts'
import type { Fields } from './reading.ts'
import { adminTlsSchema, certificateSchema, tlsSchema } from './schema/listeners.ts'

/** Certificates are read one by one, so that each has its own findings. */
const tlsFields = tlsSchema.extend({ certificates: z.array(z.unknown()).min(1).optional(), acme: z.unknown() })
const adminTlsFields = adminTlsSchema.extend({ certificates: tlsFields.shape.certificates })

/** How a listener terminates TLS; undefined, with findings, when that is not said. */
export function tlsModel(context: CheckContext, path: ConfigPath): TlsModel | undefined {
  const tls = context.reading.readFields(tlsFields, path)
  if (tls === undefined) return undefined
  const acme = tls.acme === undefined ? undefined : checkAcme(context, [...path, 'acme'])
  const isOrdered = context.reading.at([...path, 'acme']) !== undefined
  const own = ownCertificates(context, path, tls, isOrdered, ', or { acme: { email, names } }')
  if (acme !== undefined) {
    checkNotInFiles(
      context,
      [...path, 'acme'],
      acme,
      own.certificates.flatMap(({ names }) => names),
    )
  }
  return {
    ...own,
    ...(acme === undefined ? {} : { acme }),
    clientCertificates: clientCertificates(context, path, tls.clientCertificates),
  }
}

/** How the admin server terminates TLS; undefined, with findings, when that is not said. */
export function adminTlsModel(context: CheckContext, path: ConfigPath): TlsModel | undefined {
  const tls = context.reading.readFields(adminTlsFields, path)
  return tls === undefined ? undefined : ownCertificates(context, path, tls, false, '')
}

function ownCertificates(
  context: CheckContext,
  path: ConfigPath,
  tls: Fields<typeof adminTlsFields>,
  isOrdered: boolean,
  orElse: string,
): Omit<TlsModel, 'clientCertificates' | 'acme'> {
  const { findings, reading } = context
  const isDev = tls.dev === true
  if (!isDev && !isOrdered && reading.at([...path, 'certificates']) === undefined) {
    findings.error(path, 'TLS needs a certificate', `write { dev: true }, or { certificates: [{ cert, key }] }${orElse}`)
  }
  if (tls.names !== undefined && !isDev) {
    const remedy = 'write dev: true, or put names beside cert and key'
    findings.error([...path, 'names'], 'these are names of the development certificate, and there is none', remedy)
  }
  return {
    dev: isDev,
    devNames: (tls.names ?? []).map((name) => name.toLowerCase()),
    certificates: (tls.certificates ?? []).flatMap((_, i) => certificateModel(context, [...path, 'certificates', i]) ?? []),
    minVersion: tls.minVersion ?? 'TLSv1.2',
  }
}

function clientCertificates(
  context: CheckContext,
  path: ConfigPath,
  read: { readonly mode: 'optional' | 'required'; readonly ca: string; readonly crl?: readonly string[] | undefined } | undefined,
): TlsModel['clientCertificates'] {
  if (read === undefined) return undefined
  const ca = absolutePath(context, read.ca)
  checkAuthorities(context, [...path, 'clientCertificates', 'ca'], ca)
  if (read.crl === undefined) return { mode: read.mode, ca }
  const crl = read.crl.map((file) => absolutePath(context, file))
  for (const file of crl) checkRevocationList(context, [...path, 'clientCertificates', 'crl'], file)
  return { mode: read.mode, ca, crl }
}

function certificateModel(context: CheckContext, path: ConfigPath): TlsModel['certificates'][number] | undefined {
  const read = context.reading.readFields(certificateSchema, path)
  if (read?.cert === undefined || read.key === undefined) return undefined
  const pair = {
    cert: absolutePath(context, read.cert),
    key: absolutePath(context, read.key),
    names: (read.names ?? []).map((name) => name.toLowerCase()),
  }
  checkCertificate(context, path, pair)
  return pair
}
