import type { Answer } from '../core/answer.ts'
import type { Exchange } from '../core/exchange.ts'
import type { Handler } from '../core/handler.ts'
import { oauthError, privateJson, privateNothing, refuseCaller } from './answers.ts'
import { createClientDesk } from './client-desk.ts'
import type { ClientDesk, GoodProof } from './client-desk.ts'
import { cookieNames, readCookie, setCookie } from './cookies.ts'
import type { Endpoint } from './endpoint.ts'
import type { ClientSpec } from './identity-spec.ts'
import type { IdentityParts } from './identity-parts.ts'
import { areFields, readFields } from './read-fields.ts'
import type { PostedFields } from './read-fields.ts'
import { notIntrospected, Rejection } from './rejection.ts'
import { revoke } from './revoked.ts'
import type { IssuedTokens } from './token-families.ts'

type Fielded = (x: Exchange, fields: PostedFields, proof: GoodProof) => Promise<Answer>

/** What lets a client revoke, or see, tokens of others besides its own. */
const revokesAny = 'tokens:revoke'
const seesAny = 'tokens:introspect'

/** Tokens anew, for pages by cookie and for programs by RFC 6749; their revocation and inspection for programs. */
export function tokenEndpoints(parts: IdentityParts): Endpoint[] {
  const { path } = parts
  const desk = createClientDesk(parts)
  const post = (name: string, handle: Fielded): Endpoint => ({
    method: 'POST',
    path: `${path}/${name}`,
    // No cookie counts here: whoever calls brings a secret that no page of another site has.
    isSameSiteOnly: false,
    handle: fielded(desk, handle),
  })
  return [
    { method: 'POST', path: `${path}/refresh`, isSameSiteOnly: true, handle: (x) => silentRefresh(x, parts) },
    post('token', (x, fields, proof) => token(x, fields, proof, parts)),
    post('revoke', (x, fields, proof) => revokeToken(x, fields, proof, parts)),
    post('introspect', (x, fields, proof) => introspect(x, fields, proof, parts)),
  ]
}

/** What a page that keeps its access token in memory gets; the refresh token goes into the cookie. */
export function memoryAnswer(issued: IssuedTokens, now: number): Answer {
  const answer = privateJson(200, { access_token: issued.accessToken, token_type: 'Bearer', expires_in: issued.expiresInS })
  const maxAgeS = Math.max(0, Math.floor((issued.endsAt - now) / 1000))
  answer.headers.append('set-cookie', setCookie(cookieNames.refresh, issued.refreshToken, 'strict', maxAgeS))
  return answer
}

/** What a program gets: both tokens (RFC 6749 §5.1). */
export function tokenAnswer(issued: IssuedTokens): Answer {
  return privateJson(200, {
    access_token: issued.accessToken,
    token_type: 'Bearer',
    expires_in: issued.expiresInS,
    refresh_token: issued.refreshToken,
    scope: issued.scopes.join(' '),
  })
}

async function silentRefresh(x: Exchange, { families, env }: IdentityParts): Promise<Answer> {
  const cookie = readCookie(x, cookieNames.refresh)
  if (cookie === null) return x.renderProblem({ name: 'duplicate-credential' }, x)
  if (cookie === undefined) return x.renderProblem({ name: 'unauthenticated', detail: 'There is no refresh cookie.' }, x)
  const issued = await families.refresh(cookie, 'cookie', x)
  // The cookie stays: who lost a race must not wipe what the winner got.
  if (typeof issued === 'string') return x.renderProblem({ name: 'invalid-credential', detail: 'Log in again.' }, x)
  return memoryAnswer(issued, env.clock.now())
}

function fielded(desk: ClientDesk, handle: Fielded): Handler {
  return async (x) => {
    const fields = await readFields(x)
    if (!areFields(fields))
      return fields.name === 'malformed' ? oauthError(400, 'invalid_request', fields.detail) : x.renderProblem(fields, x)
    const proof = await desk(x, fields)
    return 'kind' in proof ? handle(x, fields, proof) : proof
  }
}

async function token(x: Exchange, fields: PostedFields, proof: GoodProof, parts: IdentityParts): Promise<Answer> {
  const grant = fields.get('grant_type')
  if (grant === undefined) return oauthError(400, 'invalid_request', 'grant_type is missing')
  if (grant === 'client_credentials') {
    return proof.kind === 'valid' ? clientToken(x, fields, proof.client, parts) : oauthError(401, 'invalid_client')
  }
  if (grant !== 'refresh_token') return oauthError(400, 'unsupported_grant_type')
  const text = fields.get('refresh_token')
  if (text === undefined) return oauthError(400, 'invalid_request', 'refresh_token is missing')
  // Who a refresh token was issued to is who may use it (RFC 6749 §6): a program with its proof, or nobody in particular.
  const by = proof.kind === 'valid' ? proof.client.id : undefined
  const issued = await parts.families.refresh(text, 'body', x, scopesIn(fields), by)
  if (issued === 'invalid-scope') return oauthError(400, 'invalid_scope')
  return issued === 'invalid' ? oauthError(400, 'invalid_grant') : tokenAnswer(issued)
}

/** `scope` as a list (RFC 6749 §3.3); undefined when it is not there. */
function scopesIn(fields: PostedFields): readonly string[] | undefined {
  return fields
    .get('scope')
    ?.split(' ')
    .filter((scope) => scope !== '')
}

async function clientToken(x: Exchange, fields: PostedFields, client: ClientSpec, parts: IdentityParts): Promise<Answer> {
  const wanted = scopesIn(fields) ?? client.scopes
  if (!wanted.every((scope) => client.scopes.includes(scope))) return oauthError(400, 'invalid_scope')
  const generation = await parts.stores.generations.of(client.id)
  const { text, id, expiresInS } = parts.tokens.accessToken({
    subject: client.id,
    tenant: client.tenant,
    client: client.id,
    scopes: wanted,
    roles: client.roles,
    session: undefined,
    generation,
  })
  parts.audit.write('client-token', { client: client.id, token: id }, x)
  return privateJson(200, { access_token: text, token_type: 'Bearer', expires_in: expiresInS, scope: wanted.join(' ') })
}

/** RFC 7009: also of what is no token (any more) it says 200, so that nobody learns which ones exist. */
async function revokeToken(x: Exchange, fields: PostedFields, proof: GoodProof, parts: IdentityParts): Promise<Answer> {
  if (proof.kind !== 'valid') return oauthError(401, 'invalid_client')
  const text = fields.get('token')
  if (text === undefined) return oauthError(400, 'invalid_request', 'token is missing')
  const { client } = proof
  const isForAll = client.scopes.includes(revokesAny)
  const ended = await parts.families.endOf(text, isForAll ? undefined : client.id)
  if (ended !== 'unknown') return ended === 'ended' ? privateNothing200() : notYours()
  // A peek: no foreign issuer is asked on behalf of a client.
  const found = await parts.authenticators.bearer!.verify(text, x, 0, 'peek')
  if (found === notIntrospected) return privateNothing200()
  if (found instanceof Rejection) return found.isUndecided ? refuseCaller(found, x) : privateNothing200()
  if (found.issuer !== parts.spec.issuer || found.credentialId === undefined) return privateNothing200()
  if (!isForAll && found.client !== client.id) return notYours()
  await revoke(parts.stores, { kind: 'token', issuer: found.issuer, id: found.credentialId, keepUntil: found.expiresAt })
  parts.audit.write('revoked', { token: found.credentialId, subject: found.subject, by: client.id }, x)
  return privateNothing200()
}

/** RFC 7009 §2.1: a token of another client is left alone, and that is said. */
function notYours(): Answer {
  return oauthError(400, 'unauthorized_client', 'the token was not issued to this client')
}

function privateNothing200(): Answer {
  const answer = privateNothing()
  answer.status = 200
  return answer
}

/** RFC 7662, for programs that do not verify tokens themselves. Of what is not a client's to see it learns nothing (§2.2). */
async function introspect(x: Exchange, fields: PostedFields, proof: GoodProof, parts: IdentityParts): Promise<Answer> {
  if (proof.kind !== 'valid') return oauthError(401, 'invalid_client')
  const text = fields.get('token')
  if (text === undefined) return oauthError(400, 'invalid_request', 'token is missing')
  const found = await parts.authenticators.bearer!.verify(text, x, 0, 'peek')
  if (found === notIntrospected) return privateJson(200, { active: false })
  if (found instanceof Rejection) return found.isUndecided ? refuseCaller(found, x) : privateJson(200, { active: false })
  const isOwn = found.issuer === parts.spec.issuer && found.client === proof.client.id
  if (!isOwn && !proof.client.scopes.includes(seesAny)) return privateJson(200, { active: false })
  const { issuer, subject, tenant, client, scopes, roles, session, credentialId, expiresAt } = found
  return privateJson(200, {
    active: true,
    token_type: 'Bearer',
    iss: issuer,
    sub: subject,
    tenant,
    client_id: client,
    scope: scopes.join(' '),
    roles,
    sid: session,
    jti: credentialId,
    exp: Math.floor(expiresAt / 1000),
  })
}
