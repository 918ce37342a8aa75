import type { PolicyCaller, PolicyRequest } from './define-policy.ts'

const caller: PolicyCaller = {
  kind: 'bearer',
  issuer: 'https://login.example.com',
  subject: 'made-up',
  tenant: 'made-up',
  client: undefined,
  scopes: ['read'],
  roles: ['reader'],
  claims: {},
}

/** A request that nobody sent. Every other one comes with a caller, a query and each header field that is asked for. */
export function madeUpRequest(number: number): PolicyRequest {
  const isFull = number % 2 === 0
  return {
    id: `made-up-${number}`,
    method: number % 4 < 2 ? 'GET' : 'POST',
    path: '/made/up',
    query: isFull ? 'page=2&sort=name' : undefined,
    host: 'api.example.com',
    address: '192.0.2.1',
    route: 'made-up',
    caller: isFull ? caller : undefined,
    header: () => (isFull ? 'made-up' : undefined),
    param: () => 'made-up',
  }
}
