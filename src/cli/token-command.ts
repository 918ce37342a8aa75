import type { RevocationOrder } from '../identity/identity-admin.ts'
import type { InspectedToken } from '../identity/token-inspection.ts'
import type { Arguments, Command, Io } from './command.ts'
import { configOption, exitCode, jsonOption, onlyOption, textOption, UsageError } from './command.ts'
import { withOffice } from './identity-office.ts'
import { isTerminal, promptSecret, readStdin } from './read-secret.ts'

const selectors = ['session', 'subject', 'client', 'key', 'id'] as const

export const tokenCommand: Command = {
  usage:
    'inspect | revoke [--session ID | --subject S | --client C | --key KID | --id JTI --issuer ISS]   (a token is read from stdin)',
  options: {
    config: configOption,
    only: onlyOption,
    session: { type: 'string', value: 'ID', help: 'Revoke a session or token family by its id.' },
    subject: { type: 'string', value: 'S', help: 'Revoke everything that a subject has.' },
    client: { type: 'string', value: 'C', help: 'Revoke everything of an OAuth client or API key, for as long as it could live.' },
    key: { type: 'string', value: 'KID', help: 'Revoke everything that a signing key has signed.' },
    id: { type: 'string', value: 'JTI', help: 'Revoke one token by its id, together with --issuer.' },
    issuer: { type: 'string', value: 'ISS', help: 'Whose token --id names.' },
    json: jsonOption,
  },
  maxPositionals: 1,
  async run(args, io) {
    const [verb] = args.positionals
    if (verb !== 'inspect' && verb !== 'revoke') throw new UsageError('say what to do: inspect, revoke (see "velum help token")')
    const named = selectors.filter((name) => textOption(args, name) !== undefined)
    if (named.length > 1 || (verb === 'inspect' && named.length > 0))
      throw new UsageError(
        verb === 'inspect' ? '"velum token inspect" reads a token from stdin' : `give one of ${named.join(', ')}`,
      )
    const order = named.length === 0 ? undefined : orderBy(named[0], args)
    const token = order === undefined ? await readToken(io) : ''
    const code = await withOffice(args, io, async (office) => {
      if (verb === 'inspect') return show(await office.inspectToken(token), args, io)
      const wanted = order ?? orderFor(await office.inspectToken(token))
      await office.revoke(wanted)
      io.out(args.options['json'] === true ? `${JSON.stringify(wanted)}\n` : `revoked: ${wordsOf(wanted)}\n`)
      return exitCode.done
    })
    return code ?? exitCode.input
  },
}

function orderBy(name: (typeof selectors)[number], args: Arguments): RevocationOrder {
  const value = textOption(args, name)!
  if (name === 'session') return { kind: 'session', id: value }
  if (name === 'subject') return { kind: 'subject', subject: value }
  if (name === 'client') return { kind: 'client', client: value }
  if (name === 'key') return { kind: 'key', keyId: value }
  const issuer = textOption(args, 'issuer')
  if (issuer === undefined) throw new UsageError('--id needs --issuer: ids are unique for their issuer only')
  return { kind: 'token', issuer, id: value }
}

function orderFor({ kind, session, claims, words }: InspectedToken): RevocationOrder {
  if (kind === 'session' || kind === 'refresh-token') return { kind: 'session', id: session! }
  const { iss, jti } = (claims ?? {}) as { readonly iss?: unknown; readonly jti?: unknown }
  if (typeof iss === 'string' && typeof jti === 'string') return { kind: 'token', issuer: iss, id: jti }
  throw new Error(kind === 'jwt' ? 'the token has no iss and jti to be revoked by; revoke its subject or session' : words)
}

function wordsOf(order: RevocationOrder): string {
  const { kind, ...rest } = order
  return `${kind} ${Object.values(rest).join(' ')}`
}

function show(found: InspectedToken, args: Arguments, io: Io): number {
  if (args.options['json'] === true) io.out(`${JSON.stringify(found, undefined, 2)}\n`)
  else {
    const { kind, status, words, header, claims, ...facts } = found
    io.out(`${kind}: ${status}. ${words}\n`)
    for (const [name, value] of Object.entries(facts)) io.out(`${name}: ${String(value)}\n`)
    if (header !== undefined)
      io.out(`header: ${JSON.stringify(header, undefined, 2)}\nclaims: ${JSON.stringify(claims, undefined, 2)}\n`)
  }
  return found.kind === 'unknown' ? exitCode.input : exitCode.done
}

async function readToken(io: Io): Promise<string> {
  const stdin = io.stdin ?? process.stdin
  return isTerminal(stdin) ? promptSecret(io, 'Token: ', 'give the token on stdin') : readStdin(io)
}
