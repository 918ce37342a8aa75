import { isIP } from 'node:net'
import type { PasskeySpec } from '../identity/identity-spec.ts'
import { isTrustableOrigin, originRemedy } from '../lib/origin.ts'
import type { CheckContext } from './check-context.ts'
import type { ConfigPath } from './finding.ts'
import { passkeysSchema } from './schema/own-issuer.ts'

const section: ConfigPath = ['identity', 'passkeys']
const hostName = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/

/** Where passkeys are good for, in the name of an issuer; undefined when the configuration has no passkeys. */
export function checkPasskeys(context: CheckContext, issuer: string): PasskeySpec | undefined {
  const { reading, findings } = context
  if (reading.at(section) === undefined) return undefined
  const { rpId: wanted, name, origins } = reading.readFields(passkeysSchema, section) ?? {}
  const host = URL.parse(issuer)?.hostname
  const rpId = wanted ?? host ?? ''
  const path: ConfigPath = wanted === undefined ? section : [...section, 'rpId']
  const wrong = (at: ConfigPath, message: string, remedy: string): void => findings.error(at, message, remedy)
  // An issuer that is no address has a finding of its own, also where it is the one origin.
  if (host !== undefined) {
    if (isIP(rpId.replace(/^\[|\]$/g, '')) !== 0)
      wrong(path, 'browsers know no passkeys of IP addresses', 'give identity.issuer a host name')
    else if (!hostName.test(rpId) || (rpId !== 'localhost' && !rpId.includes('.')))
      wrong(path, `${reading.show(rpId, path)} is not a domain that can have passkeys`, 'write a domain in lower case: example.com')
    else if (!isWithin(host, rpId))
      wrong(path, `the issuer's host ${host} is not within ${rpId}`, `write ${host}, or a domain above it`)
    else checkOrigins(context, origins ?? [], rpId)
  }
  return { rpId, name: name ?? rpId, origins: origins ?? [issuer] }
}

function checkOrigins({ findings, reading }: CheckContext, origins: readonly string[], rpId: string): void {
  for (const [i, origin] of origins.entries()) {
    const path = [...section, 'origins', i]
    const shown = reading.show(origin, path)
    if (!isTrustableOrigin(origin)) findings.error(path, `${shown} is not an origin that can be trusted`, originRemedy)
    else if (!isWithin(new URL(origin).hostname, rpId))
      findings.error(path, `passkeys of ${rpId} are not for ${shown}`, `write an origin within ${rpId}, or another rpId`)
  }
}

function isWithin(host: string, domain: string): boolean {
  return host === domain || host.endsWith(`.${domain}`)
}
