import { headerId } from '../core/header-names.ts'
import type { Headers } from '../core/headers.ts'

const origin = headerId('origin')
const requestMethod = headerId('access-control-request-method')

/** The method that a CORS preflight asks for (Fetch §3.3.2), or undefined when the request is none. */
export function preflightMethod(method: string, headers: Headers): string | undefined {
  if (method !== 'OPTIONS') return undefined
  const asked = headers.first(requestMethod)
  return asked === undefined || headers.first(origin) === undefined ? undefined : asked
}
