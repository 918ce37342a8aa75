import type { ApiKeyOrder } from '../identity/api-key-admin.ts'
import { parseDuration } from '../lib/duration.ts'
import { parseInstant } from '../lib/instant.ts'
import type { Arguments, Command, Io } from './command.ts'
import { configOption, exitCode, jsonOption, onlyOption, textOption, UsageError } from './command.ts'
import type { ApiKeyLine, IdentityOffice } from './identity-office.ts'
import { withOffice } from './identity-office.ts'
import { table } from './table.ts'

const verbs = ['create', 'list', 'revoke']

export const keyCommand: Command = {
  usage: 'create CLIENT [--scopes a,b] [--roles a,b] [--tenant T] [--expires WHEN] [--addresses CIDR,…] | list | revoke ID',
  options: {
    config: configOption,
    only: onlyOption,
    scopes: { type: 'string', value: 'A,B', help: 'The scopes that the new key grants.' },
    roles: { type: 'string', value: 'A,B', help: 'Its roles.' },
    tenant: { type: 'string', value: 'T', help: 'The tenant it belongs to.' },
    subject: { type: 'string', value: 'S', help: 'Who calls with it. Default: the client.' },
    expires: {
      type: 'string',
      value: 'WHEN',
      help: 'When it ends: after a time (90d), on a date (2027-01-31), or never. Default: 365d.',
    },
    addresses: { type: 'string', value: 'CIDR', help: 'Where it may be used from, several by commas. Default: anywhere.' },
    json: jsonOption,
  },
  maxPositionals: 2,
  async run(args, io) {
    const [verb = '', name] = args.positionals
    if (!verbs.includes(verb)) throw new UsageError(`say what to do: ${verbs.join(', ')} (see "velum help key")`)
    if ((verb === 'list') !== (name === undefined))
      throw new UsageError(
        verb === 'list'
          ? '"velum key list" takes no name'
          : verb === 'create'
            ? 'say for whom: velum key create CLIENT'
            : 'say which: velum key revoke ID (see "velum key list")',
      )
    const order = verb === 'create' ? orderOf(name, args) : undefined
    const code = await withOffice(args, io, async (office) => {
      if (order !== undefined) await create(office, order, args, io)
      else if (verb === 'list') await list(office, args, io)
      else await revoke(office, name, args, io)
      return exitCode.done
    })
    return code ?? exitCode.input
  },
}

async function create(office: IdentityOffice, order: ApiKeyOrder, args: Arguments, io: Io): Promise<void> {
  const made = await office.createApiKey(order)
  if (args.options['json'] === true) return io.out(`${JSON.stringify(made, undefined, 2)}\n`)
  // The key alone on stdout, so that it can be piped where it belongs.
  io.out(`${made.key}\n`)
  io.err(`key ${made.id} of ${made.client}, ${endOf(made)}. It is shown this once.\n`)
}

async function list(office: IdentityOffice, args: Arguments, io: Io): Promise<void> {
  const keys = await office.listApiKeys()
  if (args.options['json'] === true) return io.out(`${JSON.stringify(keys, undefined, 2)}\n`)
  const rows = keys.map((key) => [
    key.id,
    key.client,
    key.tenant ?? '-',
    key.scopes.length === 0 ? '-' : key.scopes.join(','),
    key.created.slice(0, 10),
    key.expires?.slice(0, 10) ?? 'never',
    key.lastUsed === undefined ? 'never' : `${key.lastUsed.slice(0, 16)}Z`,
  ])
  io.out(table(['ID', 'CLIENT', 'TENANT', 'SCOPES', 'SINCE', 'ENDS', 'LAST USED'], rows))
}

async function revoke(office: IdentityOffice, id: string, args: Arguments, io: Io): Promise<void> {
  const key = await office.revokeApiKey(id)
  io.out(args.options['json'] === true ? `${JSON.stringify(key, undefined, 2)}\n` : `key ${key.id} of ${key.client} revoked\n`)
}

function endOf({ expires }: ApiKeyLine): string {
  return expires === undefined ? 'without an end' : `until ${expires}`
}

function orderOf(client: string, args: Arguments): ApiKeyOrder {
  return {
    client,
    subject: textOption(args, 'subject'),
    tenant: textOption(args, 'tenant'),
    scopes: listOf(args, 'scopes'),
    roles: listOf(args, 'roles'),
    addresses: listOf(args, 'addresses'),
    expiresAt: expiryOf(textOption(args, 'expires')),
  }
}

function listOf(args: Arguments, name: string): readonly string[] {
  const items = (textOption(args, name) ?? '').split(',').map((item) => item.trim())
  return [...new Set(items)].filter((item) => item !== '')
}

function expiryOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (text === 'never') return Infinity
  if (/^\d+(?:ms|s|m|h|d)$/.test(text)) return Date.now() + parseDuration(text)
  const at = parseInstant(text)
  if (at === undefined)
    throw new UsageError('--expires is a time (90d), a date (2027-01-31) or a time with its zone (2027-01-31T12:00:00Z), or never')
  return at
}
