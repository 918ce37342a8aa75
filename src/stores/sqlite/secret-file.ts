import { randomBytes } from 'node:crypto'
import { chmodSync, linkSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Log } from '../../core/log.ts'
import { StoreUnusable } from '../../core/stores.ts'

/** As short as a configured secret may be. */
const minSecretLength = 32

/**
 * The secret of an embedded store whose configuration names none: made at the first start, readable for its owner alone.
 * What was sealed with it is lost when it is lost. Throws `StoreUnusable`.
 */
export function loadSecret(folder: string, log: Log): string {
  const file = join(folder, 'secret')
  try {
    makeSecret(file)
    if ((statSync(file).mode & 0o077) !== 0) {
      log.warn('the secret could be read by others and was closed to them; replace it if it may be known', { file })
      chmodSync(file, 0o600)
    }
    const secret = readFileSync(file, 'utf8').trim()
    if (secret.length < minSecretLength) throw new Error(`it holds no secret of at least ${minSecretLength} characters`)
    return secret
  } catch (thrown) {
    throw new StoreUnusable(`the secret ${file} cannot be used: ${(thrown as Error).message}`, { cause: thrown })
  }
}

/** Whole or not at all, and never in the place of another: a link to a finished file fails when there is one. */
function makeSecret(file: string): void {
  if (statSync(file, { throwIfNoEntry: false }) !== undefined) return
  const draft = `${file}.${process.pid}.${randomBytes(4).toString('hex')}`
  writeFileSync(draft, `${randomBytes(32).toString('base64url')}\n`, { mode: 0o600, flush: true })
  try {
    linkSync(draft, file)
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'EEXIST') throw thrown
  } finally {
    rmSync(draft, { force: true })
  }
}
