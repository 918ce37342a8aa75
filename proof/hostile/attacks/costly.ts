import type { Socket } from 'node:net'
import { part, signingKey, signed } from '../../../test/support/token-issuer.ts'
import type { Attack } from '../attack.ts'

const host = 'Host: localhost\r\n'

/** What makes a gateway compute: signatures, passwords, documents. */
export const costlyAttacks: readonly Attack[] = [
  {
    name: 'bad-tokens',
    does: 'forged bearer tokens (ES256), each a verification, 300/s',
    unit: 'tokens',
    begin(field) {
      const stranger = signingKey('ES256', 'key-1')
      const exp = Math.floor(Date.now() / 1000) + 600
      const header = { typ: 'at+jwt', alg: 'ES256', kid: 'key-1' }
      // One signature for all: it fits none of them, and finding out costs the same.
      const signature = signed(header, { exp }, stranger).split('.')[2]
      let serial = 0
      field.writeInTurn(300, 20, () => {
        const claims = {
          iss: 'https://issuer.example.com',
          aud: 'https://api.example.com',
          sub: 'x',
          client_id: 'x',
          jti: `j${serial++}`,
          iat: exp - 600,
          exp,
        }
        return `GET /guarded/x HTTP/1.1\r\n${host}Authorization: Bearer ${part(header)}.${part(claims)}.${signature}\r\n\r\n`
      })
    },
  },
  {
    name: 'login-flood',
    does: 'logins with wrong passwords (argon2id), of ever new names from 200 addresses, 100/s',
    unit: 'logins',
    maxGrowthMib: 96,
    begin(field) {
      let serial = 0
      const busy = new WeakSet<Socket>()
      const next = field.rotation(100, (ready) => {
        const socket = field.openTls(field.nextAddress(200), { ALPNProtocols: ['http/1.1'] })
        socket.once('secureConnect', ready)
        socket.on('data', () => busy.delete(socket))
        return socket
      })
      field.every(100, () => {
        const socket = next()
        if (socket === undefined || busy.has(socket)) return
        busy.add(socket)
        const content = JSON.stringify({ username: `name-${serial++}`, password: 'guessed it' })
        socket.write(
          `POST /auth/login HTTP/1.1\r\nHost: localhost:${field.target.tlsPort}\r\nContent-Type: application/json\r\nContent-Length: ${content.length}\r\n\r\n${content}`,
        )
        field.count++
      })
    },
  },
  graphql('graphql-depth', 'GraphQL documents nested 2,000 deep', 100, () => `{a${'{a'.repeat(2000)}${'}'.repeat(2001)}`),
  graphql(
    'graphql-aliases',
    'GraphQL documents with 3,000 aliases',
    100,
    () => `{${Array.from({ length: 3000 }, (_, i) => `a${i}:getInvoice(input:{invoiceId:"inv-2001"}){invoiceId}`).join(' ')}}`,
  ),
  graphql('graphql-fragments', 'GraphQL fragments that double 30 times', 100, () => {
    const doubling = Array.from({ length: 30 }, (_, i) => `fragment f${i} on Invoice{...f${i + 1} ...f${i + 1}}`).join(' ')
    return `{getInvoice(input:{invoiceId:"inv-2001"}){...f0}} ${doubling} fragment f30 on Invoice{invoiceId}`
  }),
  graphql('graphql-cycles', 'GraphQL fragments that name each other in a ring', 100, () => {
    const ring = Array.from({ length: 200 }, (_, i) => `fragment f${i} on Invoice{...f${(i + 1) % 200}}`).join(' ')
    return `{getInvoice(input:{invoiceId:"inv-2001"}){...f0}} ${ring}`
  }),
  json('deep-json', 'JSON nested 50,000 deep for a bridge', '/v1/invoices', `{"lines":${'['.repeat(50_000)}${']'.repeat(50_000)}}`),
]

function graphql(name: string, does: string, perSecond: number, query: () => string): Attack {
  return {
    name,
    does: `${does}, ${perSecond}/s`,
    unit: 'documents',
    begin(field) {
      const request = post('/graphql', JSON.stringify({ query: query() }))
      field.writeInTurn(perSecond, 20, () => request)
    },
  }
}

function json(name: string, does: string, path: string, content: string): Attack {
  return {
    name,
    does: `${does}, 50/s`,
    unit: 'documents',
    begin(field) {
      const request = post(path, content)
      field.writeInTurn(50, 20, () => request)
    },
  }
}

function post(path: string, content: string): string {
  return `POST ${path} HTTP/1.1\r\n${host}Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(content)}\r\n\r\n${content}`
}
