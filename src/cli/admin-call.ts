import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { GatewayModel } from '../config/model.ts'
import { EnvironmentFault } from '../core/environment-fault.ts'
import { storeFolder } from '../gateway/store-folder.ts'
import { adminFetch } from './admin-fetch.ts'

const withinMs = 15_000

/** One call of the admin API; gives its JSON. */
export type AdminCall = <T>(method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, body?: unknown) => Promise<T>

/**
 * Calls the admin API of a running gateway with the token that lies in the store's folder. Rejects with an
 * `EnvironmentFault` when that is at fault, else with a message for the user.
 */
export function adminCaller(admin: string, model: GatewayModel, env: NodeJS.ProcessEnv): AdminCall {
  const token = adminToken(storeFolder(model), env)
  return async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const asking = await adminFetch(admin, model)
    let response: Response
    try {
      response = await asking(new URL(path, admin), {
        method,
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        redirect: 'error',
        signal: AbortSignal.timeout(withinMs),
      })
    } catch (thrown) {
      throw new EnvironmentFault(`the admin API at ${admin} does not answer: ${reasonOf(thrown)}`, { cause: thrown })
    }
    const text = await response.text()
    if (response.ok) return (text === '' ? undefined : JSON.parse(text)) as T
    throw refusal(response.status, text, admin)
  }
}

function adminToken(folder: string, env: NodeJS.ProcessEnv): string {
  const given = env['VELUM_ADMIN_TOKEN']
  if (given !== undefined && given !== '') return given
  const file = join(folder, 'admin.token')
  try {
    return readFileSync(file, 'utf8').trim()
  } catch (thrown) {
    throw new EnvironmentFault(`the admin token ${file} cannot be read; set VELUM_ADMIN_TOKEN: ${(thrown as Error).message}`, {
      cause: thrown,
    })
  }
}

function refusal(status: number, text: string, admin: string): Error {
  let detail = `it answered ${status}`
  try {
    const problem = JSON.parse(text) as { title?: string; detail?: string }
    detail = problem.detail ?? problem.title ?? detail
  } catch {
    // No problem document: the status has to do.
  }
  const words = detail.replace(/\.$/, '')
  const isInput = status === 404 || status === 422 || status === 400 || status === 413
  return isInput ? new Error(words) : new EnvironmentFault(`the admin API at ${admin} refused: ${words}`)
}

function reasonOf(thrown: unknown): string {
  const { cause, message } = thrown as Error
  return cause instanceof Error ? cause.message : message
}
