import { SignJWT, exportJWK, generateKeyPair } from 'jose'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Bearer tokens of many subjects, in files for wrk, with the key that verifies them. */
export interface Tokens {
  readonly issuer: string
  readonly audience: string
  readonly tenants: readonly string[]
  readonly jwksPath: string
  /** One token a line, one for each subject. */
  readonly tokensPath: string
  /** Files of newer tokens, one file for each round. */
  readonly freshPaths: readonly string[]
}

const subjects = 10_000
const tenantCount = 100

/** Mints tokens (ES256) for 10,000 subjects of 100 tenants, and for each round as many as 1 % of them a second. */
export async function mintTokens(folder: string, rounds: number, secondsPerRound: number): Promise<Tokens> {
  mkdirSync(folder, { recursive: true })
  const { publicKey, privateKey } = await generateKeyPair('ES256')
  const issuer = 'https://issuer.bench.example'
  const audience = 'https://api.bench.example'
  const tenants = Array.from({ length: tenantCount }, (_, index) => `tenant-${index}`)
  const jwksPath = join(folder, 'jwks.json')
  writeFileSync(jwksPath, JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: 'bench-1', alg: 'ES256', use: 'sig' }] }))
  const now = Math.floor(Date.now() / 1000)
  let serial = 0
  const mint = (subject: number): Promise<string> =>
    new SignJWT({
      scope: 'orders:read orders:write profile',
      tenant: tenants[subject % tenantCount],
      roles: ['buyer'],
      client_id: 'bench',
    })
      .setProtectedHeader({ alg: 'ES256', kid: 'bench-1', typ: 'at+jwt' })
      .setIssuer(issuer)
      .setAudience(audience)
      .setSubject(`subject-${subject}`)
      .setIssuedAt(now)
      .setExpirationTime(now + 12 * 3600)
      .setJti(`token-${++serial}`)
      .sign(privateKey)
  const write = async (name: string, count: number): Promise<string> => {
    const path = join(folder, name)
    const lines: string[] = []
    for (let subject = 0; subject < count; subject++) lines.push(await mint(subject))
    writeFileSync(path, `${lines.join('\n')}\n`)
    return path
  }
  const tokensPath = await write('tokens', subjects)
  const freshPaths: string[] = []
  for (let round = 0; round < rounds; round++)
    freshPaths.push(await write(`fresh-${round}`, (subjects / 100) * (secondsPerRound + 1)))
  return { issuer, audience, tenants, jwksPath, tokensPath, freshPaths }
}
