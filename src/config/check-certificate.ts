import { isEndNear, parseAuthorities, parseCertificate } from '../wire/tls/certificate.ts'
import { parseRevocationLists } from '../wire/tls/revocation-list.ts'
import type { CheckContext } from './check-context.ts'
import type { ConfigPath } from './finding.ts'
import { readConfigBytes, readConfigFile } from './read-config-file.ts'

/** Whether the pair of files can be used for TLS: there, readable, PEM, belonging together, not expired. */
export function checkCertificate(
  context: CheckContext,
  path: ConfigPath,
  pair: { readonly cert: string; readonly key: string; readonly names: readonly string[] },
): void {
  const { findings, now } = context
  const cert = readConfigFile(context, [...path, 'cert'], pair.cert)
  const key = readConfigFile(context, [...path, 'key'], pair.key)
  if (cert === undefined || key === undefined) return
  try {
    const { expiresAt, validFrom } = parseCertificate(cert, key, pair.names, pair.cert)
    if (expiresAt <= now) findings.warn([...path, 'cert'], `the certificate expired on ${day(expiresAt)}`, 'renew it')
    else if (isEndNear({ validFrom, expiresAt }, now))
      findings.warn([...path, 'cert'], `the certificate expires soon, on ${day(expiresAt)}`, 'renew it')
    else if (validFrom > now)
      findings.warn([...path, 'cert'], `the certificate is not valid before ${day(validFrom)}`, 'wait, or use another one')
  } catch (thrown) {
    const message = thrown instanceof Error ? thrown.message : String(thrown)
    findings.error(
      /\bkey\b/.test(message) ? [...path, 'key'] : [...path, 'cert'],
      message,
      'give the certificate chain and the key that belongs to it, both in PEM',
    )
  }
}

/** Whether the file holds authorities that certificates can be checked against. */
export function checkAuthorities(context: CheckContext, path: ConfigPath, file: string): void {
  const text = readConfigFile(context, path, file)
  if (text === undefined) return
  try {
    parseAuthorities(text)
  } catch (thrown) {
    const message = thrown instanceof Error ? thrown.message : String(thrown)
    context.findings.error(path, message, 'give the certificates of the authorities, in PEM')
  }
}

/** Whether the file holds revocation lists that certificates can be checked against. */
export function checkRevocationList(context: CheckContext, path: ConfigPath, file: string): void {
  const bytes = readConfigBytes(context, path, file)
  if (bytes === undefined) return
  try {
    parseRevocationLists(bytes)
  } catch (thrown) {
    const message = thrown instanceof Error ? thrown.message : String(thrown)
    context.findings.error(path, message, 'give the revocation lists (CRL) of the authorities, in PEM or DER')
  }
}

function day(at: number): string {
  return new Date(at).toISOString().slice(0, 10)
}
