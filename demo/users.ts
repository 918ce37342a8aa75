import type { DemoService } from './demo-service.ts'
import { listenOnLoopback } from './demo-service.ts'
import { JsonError, createJsonServer } from './json-server.ts'
import { people } from './people.ts'

/** The users service: GET /users, /users/me, /users/{id}; a caller with a tenant sees that tenant only. */
export function startUsers(port: number): Promise<DemoService> {
  const { server, closeOpen } = createJsonServer(({ method, path, headers }) => {
    if (method !== 'GET' && method !== 'HEAD') throw new JsonError(405, 'only GET')
    const tenant = headers['x-auth-tenant']
    const visible = tenant === undefined ? people : people.filter((person) => person.tenant === tenant)
    if (path === '/users') return { users: visible }
    const id = path === '/users/me' ? headers['x-auth-subject'] : /^\/users\/([^/]+)$/.exec(path)?.[1]
    const person = visible.find((candidate) => candidate.id === id)
    if (person === undefined) throw new JsonError(404, 'no such user')
    return person
  })
  return listenOnLoopback(server, port, 'http', closeOpen)
}
