import { z } from 'zod'
import { defaultPasswords } from '../identity/identity-spec.ts'
import type { ClientSpec, OwnIssuerSpec, PasswordSpec } from '../identity/identity-spec.ts'
import { isSafeUrl } from '../lib/loopback.ts'
import { isTrustableOrigin, originRemedy } from '../lib/origin.ts'
import type { CheckContext } from './check-context.ts'
import { checkedNames, namesOf } from './check-context.ts'
import { checkPasskeys } from './check-passkeys.ts'
import { checkProviders } from './check-providers.ts'
import { checkSha256 } from './check-sha256.ts'
import type { ConfigPath } from './finding.ts'
import { clientSchema, passwordsSchema, sessionsSchema, tokensSchema } from './schema/own-issuer.ts'

const at = (name: string): ConfigPath => ['identity', name]

const minuteMs = 60_000
const dayMs = 24 * 60 * minuteMs

/** Velum as an issuer of sessions and tokens; undefined when the configuration names no issuer. */
export function checkOwnIssuer(context: CheckContext, issuer: string | undefined): OwnIssuerSpec | undefined {
  const { reading, findings } = context
  const isThere = (name: string): boolean => reading.at(at(name)) !== undefined
  const sessions = isThere('sessions') ? (reading.readFields(sessionsSchema, at('sessions')) ?? {}) : {}
  const tokens = isThere('tokens') ? (reading.readFields(tokensSchema, at('tokens')) ?? {}) : {}
  const roles = isThere('roles') ? (reading.read(rolesSchema, at('roles')) ?? {}) : {}
  const passwords = passwordSpec(context, isThere('passwords'))
  const trustedOrigins = isThere('trustedOrigins') ? checkOrigins(context) : []
  const clients = checkedNames(context, at('clients')).flatMap((id) => clientSpec(context, id) ?? [])
  const providers = checkProviders(context)
  if (issuer === undefined) {
    for (const name of ['sessions', 'tokens', 'roles', 'clients', 'passwords', 'trustedOrigins', 'providers', 'passkeys']) {
      if (!isThere(name) || reading.at(at('issuer')) !== undefined) continue
      findings.error(at(name), 'without an issuer, Velum issues nothing', issuerRemedy)
    }
    return undefined
  }
  checkIssuerAddress(context, at('issuer'), issuer)
  const spec: OwnIssuerSpec = {
    issuer,
    roles: Object.entries(roles),
    sessions: {
      idleMs: sessions.idle ?? 30 * minuteMs,
      absoluteMs: sessions.absolute ?? dayMs / 2,
      sameSite: sessions.sameSite ?? 'lax',
    },
    tokens: {
      algorithm: tokens.algorithm ?? 'ES256',
      accessMs: tokens.access ?? 10 * minuteMs,
      refreshMs: tokens.refresh ?? 30 * dayMs,
      refreshIdleMs: tokens.refreshIdle ?? 7 * dayMs,
      reuseGraceMs: tokens.reuseGrace ?? 10_000,
      deliver: tokens.deliver ?? ['session', 'memory'],
    },
    clients,
    passwords,
    trustedOrigins,
    providers,
    passkeys: checkPasskeys(context, issuer),
  }
  checkTimes(context, spec)
  return spec
}

const rolesSchema = z.record(z.string(), z.array(z.string()))

/** What to do where an issuer of Velum's own is needed. */
export const issuerRemedy = 'add identity.issuer: the public https address of this gateway'

function passwordSpec(context: CheckContext, isThere: boolean): PasswordSpec {
  const path = at('passwords')
  const { memory, passes, lanes, threads } = (isThere ? context.reading.readFields(passwordsSchema, path) : undefined) ?? {}
  const spec: PasswordSpec = {
    memoryKib: memory === undefined ? defaultPasswords.memoryKib : Math.floor(memory / 1024),
    passes: passes ?? defaultPasswords.passes,
    lanes: lanes ?? defaultPasswords.lanes,
    threads: threads ?? defaultPasswords.threads,
  }
  if (spec.passes < 2 && spec.memoryKib < onePassKib)
    context.findings.error(
      [...path, 'passes'],
      'one pass over so little memory is quick to guess',
      'write passes: 2, or memory: 46mb',
    )
  return spec
}

/** OWASP's other floor: one pass needs 46 MiB. */
const onePassKib = 46 * 1024

/** Origins as browsers write them; a pattern is none, since one stray page would be enough. */
function checkOrigins(context: CheckContext): readonly string[] {
  const origins = context.reading.read(z.array(z.string()), at('trustedOrigins')) ?? []
  for (const [i, origin] of origins.entries()) {
    const path = [...at('trustedOrigins'), i]
    if (isTrustableOrigin(origin)) continue
    context.findings.error(path, `${context.reading.show(origin, path)} is not an origin that can be trusted`, originRemedy)
  }
  return origins
}

function checkIssuerAddress(context: CheckContext, path: ConfigPath, issuer: string): void {
  const url = URL.parse(issuer)
  const shown = context.reading.show(issuer, path)
  if (url === null || url.origin !== issuer) {
    context.findings.error(
      path,
      `${shown} is not the origin of a gateway`,
      'write scheme and host, in lower case and with nothing behind: https://api.example.com',
    )
  } else if (!isSafeUrl(url)) {
    context.findings.error(path, `${shown} is no https address`, 'use https (http is allowed on loopback only)')
  }
}

function checkTimes(context: CheckContext, { sessions, tokens }: OwnIssuerSpec): void {
  const { findings } = context
  if (tokens.accessMs > 15 * minuteMs) {
    const message = 'access tokens live longer than 15 minutes: whoever verifies them without asking believes a revoked one as long'
    findings.warn(['identity', 'tokens', 'access'], message, 'write 5m to 15m; refreshing is silent')
  }
  if (sessions.idleMs > sessions.absoluteMs) {
    findings.warn(
      ['identity', 'sessions', 'idle'],
      'a session ends before it could be idle for so long',
      'make idle shorter than absolute',
    )
  }
  if (tokens.refreshMs < tokens.accessMs) {
    findings.error(
      ['identity', 'tokens', 'refresh'],
      'a login ends before its first access token does',
      'make refresh longer than access',
    )
  }
}

function clientSpec(context: CheckContext, id: string): ClientSpec | undefined {
  const path: ConfigPath = ['identity', 'clients', id]
  const client = context.reading.readFields(clientSchema, path)
  if (client === undefined) return undefined
  const first = namesOf(context, ['identity', 'clients']).find((other) => other !== id && other.toLowerCase() === id.toLowerCase())
  if (first !== undefined && first < id) {
    context.findings.error(path, `"${first}" differs only by case`, 'give clients names that nobody takes for each other')
  }
  return {
    id,
    secretSha256: checkSha256(context, [...path, 'secretHash'], client.secretHash),
    scopes: client.scopes ?? [],
    roles: client.roles ?? [],
    tenant: client.tenant,
  }
}
