import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { chmodSync, closeSync, openSync, readFileSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { Log } from '../core/log.ts'
import { EnvironmentFault } from '../gateway/environment-fault.ts'

/** Who may do what: `admin` everything, `metrics` reads /metrics and nothing else. */
export type AdminRole = 'admin' | 'metrics'

/** The tokens of the admin surface. */
export interface AdminTokens {
  readonly admin: string
  readonly metrics: string
  /** Where the admin token is kept; undefined when it came from the environment. */
  readonly adminFile: string | undefined
  /** Whose token this is, in a time that does not depend on it. */
  roleOf(token: string): AdminRole | undefined
}

const minTokenLength = 16

/**
 * The tokens from the environment (`VELUM_ADMIN_TOKEN`, `VELUM_METRICS_TOKEN`), else from the store's folder, where
 * they are made at the first start, readable for their owner alone. Throws an `EnvironmentFault` when that fails.
 */
export function loadAdminTokens(folder: string, env: NodeJS.ProcessEnv, log: Log): AdminTokens {
  const admin = tokenFrom(env, 'VELUM_ADMIN_TOKEN', join(folder, 'admin.token'), log)
  const metrics = tokenFrom(env, 'VELUM_METRICS_TOKEN', join(folder, 'metrics.token'), log)
  const adminHash = hashOf(admin.token)
  const metricsHash = hashOf(metrics.token)
  return {
    admin: admin.token,
    metrics: metrics.token,
    adminFile: admin.file,
    roleOf(token) {
      const hash = hashOf(token)
      const isAdmin = timingSafeEqual(hash, adminHash)
      const isMetrics = timingSafeEqual(hash, metricsHash)
      if (isAdmin) return 'admin'
      return isMetrics ? 'metrics' : undefined
    },
  }
}

function hashOf(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}

function tokenFrom(env: NodeJS.ProcessEnv, name: string, file: string, log: Log): { token: string; file: string | undefined } {
  const given = env[name]
  if (given === undefined || given === '') return { token: tokenFromFile(file, log), file }
  if (given.length < minTokenLength)
    throw new EnvironmentFault(`${name} is shorter than ${minTokenLength} characters: anyone could guess it`)
  return { token: given, file: undefined }
}

function tokenFromFile(file: string, log: Log): string {
  try {
    const made = makeToken(file)
    if (made !== undefined) return made
    const { mode } = statSync(file)
    if ((mode & 0o077) !== 0) {
      log.warn('a token file could be read by others and was closed to them; replace the token if it may be known', { file })
      chmodSync(file, 0o600)
    }
    const token = readFileSync(file, 'utf8').trim()
    if (token.length < minTokenLength)
      throw new Error(`it holds no token of at least ${minTokenLength} characters; remove it to have one made`)
    return token
  } catch (thrown) {
    throw new EnvironmentFault(`the token file ${file} cannot be used: ${(thrown as Error).message}`, { cause: thrown })
  }
}

/** Undefined when the file is there already; never two makers, since only one can create it. */
function makeToken(file: string): string | undefined {
  let fd: number
  try {
    fd = openSync(file, 'wx', 0o600)
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'EEXIST') return undefined
    throw thrown
  }
  try {
    const token = randomBytes(32).toString('base64url')
    writeSync(fd, `${token}\n`)
    return token
  } finally {
    closeSync(fd)
  }
}
