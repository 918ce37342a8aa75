import { z } from 'zod'
import type { ProviderEndpoints, ProviderSpec } from '../identity/identity-spec.ts'
import { isLoopbackHost } from '../lib/loopback.ts'
import type { CheckContext } from './check-context.ts'
import { checkedNames } from './check-context.ts'
import type { ConfigPath } from './finding.ts'
import { providerEndpointsSchema, providerSchema } from './schema/providers.ts'

const section: ConfigPath = ['identity', 'providers']
const minuteMs = 60_000

/** Endpoints are read for themselves. */
const ownSchema = providerSchema.extend({ endpoints: z.unknown().optional() })

/** What Velum itself says in an authorization request, or must not be said there. */
const ownParameters = new Set([
  'client_id',
  'client_secret',
  'code_challenge',
  'code_challenge_method',
  'nonce',
  'redirect_uri',
  'request',
  'request_uri',
  'response_mode',
  'response_type',
  'scope',
  'state',
])

/** Where people may log in besides here. */
export function checkProviders(context: CheckContext): ProviderSpec[] {
  const specs = checkedNames(context, section).flatMap((name) => providerSpec(context, name) ?? [])
  for (const [i, { name, issuer }] of specs.entries()) {
    const other = specs.slice(0, i).find((earlier) => earlier.issuer === issuer && issuer !== '')
    if (other === undefined) continue
    context.findings.error([...section, name, 'issuer'], `"${other.name}" is this provider already`, 'keep one of the two')
  }
  return specs
}

function providerSpec(context: CheckContext, name: string): ProviderSpec | undefined {
  const { reading, findings } = context
  const path: ConfigPath = [...section, name]
  const provider = reading.readFields(ownSchema, path)
  if (provider === undefined) return undefined
  const { issuer = '', scopes = [], parameters = {}, rolesFrom, tenant, tenants } = provider
  const isPlain = issuer !== '' && checkAddress(context, [...path, 'issuer'], issuer, true)
  if (isUnset(reading.at(path), 'clientSecret'))
    findings.error(
      [...path, 'clientSecret'],
      'the value is not set',
      'set the environment variable that it is read from, or remove the key',
    )
  if (tenant !== undefined && tenants !== undefined)
    findings.error(
      [...path, 'tenants'],
      'the provider has both tenant and tenants',
      'keep tenant for one fixed tenant, or tenants for those a claim may name',
    )
  for (const parameter of Object.keys(parameters)) {
    if (!ownParameters.has(parameter)) continue
    findings.error([...path, 'parameters', parameter], `${parameter} is not free to choose`, 'remove it: Velum says what is needed')
  }
  const claimed: unknown = reading.at(['identity', 'tenantClaim'])
  return {
    name,
    label: provider.label ?? name,
    issuer,
    endpoints: endpointsOf(context, [...path, 'endpoints'], isPlain),
    clientId: provider.clientId ?? '',
    clientSecret: provider.clientSecret,
    scopes: [...new Set(['openid', ...scopes])],
    parameters: Object.entries(parameters),
    roles: provider.roles ?? [],
    rolesClaim: rolesFrom?.claim,
    roleMap: Object.entries(rolesFrom?.map ?? {}),
    tenant,
    tenants,
    tenantClaim: provider.tenantClaim ?? (typeof claimed === 'string' ? claimed : 'tenant'),
    skewMs: provider.clockTolerance ?? 30_000,
    refreshMs: provider.refresh ?? 10 * minuteMs,
    isIdTokenHinted: provider.idTokenHint ?? false,
  }
}

function endpointsOf(context: CheckContext, path: ConfigPath, isPlain: boolean): ProviderEndpoints | undefined {
  if (context.reading.at(path) === undefined) return undefined
  const endpoints = context.reading.readFields(providerEndpointsSchema, path)
  if (endpoints === undefined) return undefined
  for (const [name, url] of Object.entries(endpoints)) if (url !== undefined) checkAddress(context, [...path, name], url, isPlain)
  const { authorization = '', token = '', jwks = '', endSession } = endpoints
  return { authorization, token, jwks, endSession }
}

/** Whether the address is a plain one on loopback; with a finding for what cannot be spoken to safely. */
function checkAddress(context: CheckContext, path: ConfigPath, text: string, mayBePlain: boolean): boolean {
  const url = URL.parse(text)
  const shown = context.reading.show(text, path)
  const isPlain = url?.protocol === 'http:' && isLoopbackHost(url.hostname)
  const wrong = (message: string, remedy: string): void => context.findings.error(path, message, remedy)
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:'))
    wrong(`${shown} is not a web address`, 'write an https address')
  else if (isPlain && !mayBePlain) wrong(`${shown} is reached without TLS, unlike the issuer`, 'use https, as the issuer does')
  else if (url.protocol === 'http:' && !isPlain)
    wrong(
      `${shown} is reached without TLS, so anybody on the way could log in as anybody`,
      'use https (http is allowed on loopback only)',
    )
  else if (url.username !== '' || url.password !== '' || url.hash !== '' || (path.at(-1) === 'issuer' && url.search !== ''))
    wrong(`${shown} holds more than an address`, 'remove user name, password, query and fragment')
  return isPlain
}

/** Whether a key is written whose value, from the environment, is not there. */
function isUnset(written: unknown, key: string): boolean {
  return (
    typeof written === 'object' && written !== null && key in written && (written as Record<string, unknown>)[key] === undefined
  )
}
