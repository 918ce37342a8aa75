import { isIP } from 'node:net'
import { isSafeUrl } from '../lib/loopback.ts'
import type { AcmeSpec } from '../wire/tls/tls-spec.ts'
import { checkAuthorities } from './check-certificate.ts'
import type { CheckContext } from './check-context.ts'
import { absolutePath } from './check-context.ts'
import type { ConfigPath } from './finding.ts'
import type { ListenerModel } from './model.ts'
import { acmeSchema } from './schema/listeners.ts'

const letsEncrypt = 'https://acme-v02.api.letsencrypt.org/directory'
/** Names that no public authority certifies (RFC 6761, RFC 6762, RFC 8375, RFC 9476). */
const privateEnd = /(?:^|\.)(?:localhost|local|internal|test|example|invalid|alt|onion|home\.arpa|lan)$/

/** What a listener orders of an authority; undefined, with findings, when that is not said. */
export function checkAcme(context: CheckContext, path: ConfigPath): AcmeSpec | undefined {
  const { findings, reading } = context
  const read = reading.readFields(acmeSchema, path)
  const { email, directory = letsEncrypt } = read ?? {}
  const url = URL.parse(directory)
  if (url === null || !isSafeUrl(url)) {
    findings.error(
      [...path, 'directory'],
      'an authority is asked by https',
      'write the URL of its directory, beginning with https://',
    )
  }
  const names = read?.names?.map((name) => name.toLowerCase())
  for (const [i, name] of (names ?? []).entries()) {
    const [fault, remedy] = faultOf(name, read?.directory === undefined) ?? doubled(names!, i) ?? []
    if (fault !== undefined && remedy !== undefined) findings.error([...path, 'names', i], fault, remedy)
  }
  const directoryCa = read?.directoryCa === undefined ? undefined : absolutePath(context, read.directoryCa)
  if (directoryCa !== undefined) checkAuthorities(context, [...path, 'directoryCa'], directoryCa)
  if (email === undefined || names === undefined) return undefined
  return { email, names, directory, ...(directoryCa === undefined ? {} : { directoryCa }) }
}

/** Why a name cannot be certified by HTTP-01, and what to do; undefined: nothing speaks against it. */
function faultOf(name: string, isPublic: boolean): [fault: string, remedy: string] | undefined {
  const byFiles = 'give that name a certificate of its own in certificates'
  if (name.startsWith('*.')) return ['a wildcard cannot be proven by HTTP', `name each host, or ${byFiles}`]
  if (isIP(name) !== 0) return ['an address is no name', 'write the DNS name that leads to it']
  if (name === 'localhost' || name.endsWith('.localhost')) return ['nobody can certify this name', 'use dev: true']
  if (!isPublic) return undefined
  if (!name.includes('.') || privateEnd.test(name))
    return ['no public authority certifies this name', `${byFiles}, or name the directory of your own authority`]
  return undefined
}

function doubled(names: readonly string[], i: number): [fault: string, remedy: string] | undefined {
  return names.indexOf(names[i]) === i ? undefined : ['the name stands here twice', 'keep one of the two']
}

/** Warns of names that would be ordered for nothing, since a certificate from files comes first. */
export function checkNotInFiles(context: CheckContext, path: ConfigPath, acme: AcmeSpec, fileNames: readonly string[]): void {
  const named = new Set(fileNames)
  for (const [i, name] of acme.names.entries()) {
    if (named.has(name))
      context.findings.warn(
        [...path, 'names', i],
        'a certificate from files is served for this name, and the one that is ordered never',
        'take the name out of one of the two',
      )
  }
}

/** That an authority which asks back finds somebody who answers. */
export function checkPlainForAcme({ findings }: CheckContext, listeners: readonly ListenerModel[]): void {
  if (listeners.some(({ tls }) => tls === undefined)) return
  for (const { name, tls } of listeners) {
    if (tls?.acme !== undefined)
      findings.error(
        ['listeners', name, 'tls', 'acme'],
        'the authority asks back by plain HTTP, and no listener answers without TLS',
        "add one that port 80 leads to, such as plain: { port: 80, redirect: 'https' }",
      )
  }
}
