import type { Arguments, Command, Io } from './command.ts'
import { configOption, exitCode, jsonOption, onlyOption, textOption, UsageError } from './command.ts'
import type { IdentityOffice, UserLine } from './identity-office.ts'
import { withOffice } from './identity-office.ts'
import { promptSecret, readStdin } from './read-secret.ts'
import { table } from './table.ts'

/** One thing that can be done: what it reads comes first, so that the store is not held while somebody types. */
type Prepared = (office: IdentityOffice) => Promise<UserLine | readonly UserLine[]>
type Prepare = (name: string, args: Arguments, io: Io) => Promise<Prepared>

const verbs: Readonly<Record<string, Prepare>> = {
  async add(name, args, io) {
    const password = await newPassword(args, io)
    const order = { name, password, roles: rolesOf(args), tenant: textOption(args, 'tenant'), subject: textOption(args, 'subject') }
    return (office) => office.addUser(order)
  },
  list: async () => (office) => office.listUsers(),
  disable: async (name) => (office) => office.disableUser(name),
  enable: async (name) => (office) => office.enableUser(name),
  async passwd(name, args, io) {
    const password = await newPassword(args, io)
    return (office) => office.setPassword(name, password)
  },
}
const done: Readonly<Record<string, string>> = {
  add: 'added',
  disable: 'disabled; all sessions and tokens have ended',
  enable: 'enabled',
  passwd: 'has a new password; all sessions and tokens have ended',
}

export const userCommand: Command = {
  usage: 'add NAME [--roles a,b] [--tenant T] [--subject S] | list | disable NAME | enable NAME | passwd NAME',
  options: {
    config: configOption,
    only: onlyOption,
    'password-stdin': { type: 'boolean', help: 'Read the password from stdin instead of asking for it in the terminal.' },
    roles: { type: 'string', value: 'A,B', help: 'Roles of the new user.' },
    tenant: { type: 'string', value: 'T', help: 'The tenant the new user belongs to.' },
    subject: {
      type: 'string',
      value: 'S',
      help: 'Who the user is to services (sub). Default: the name where it is one plain word, else a text of chance.',
    },
    json: jsonOption,
  },
  maxPositionals: 2,
  async run(args, io) {
    const [verb = '', name] = args.positionals
    const prepare = Object.hasOwn(verbs, verb) ? verbs[verb] : undefined
    if (prepare === undefined) throw new UsageError(`say what to do: ${Object.keys(verbs).join(', ')} (see "velum help user")`)
    if ((verb === 'list') !== (name === undefined))
      throw new UsageError(verb === 'list' ? '"velum user list" takes no name' : `say whom: velum user ${verb} NAME`)
    const run = await prepare(name ?? '', args, io)
    const code = await withOffice(args, io, async (office) => {
      const found = await run(office)
      if (args.options['json'] === true) io.out(`${JSON.stringify(found, undefined, 2)}\n`)
      else if (isList(found)) io.out(table(['NAME', 'SUBJECT', 'TENANT', 'ROLES', 'STATE', 'SINCE'], found.map(cells)))
      else io.out(`${found.name} (subject ${found.subject}) ${done[verb]}\n`)
      return exitCode.done
    })
    return code ?? exitCode.input
  },
}

function isList(found: UserLine | readonly UserLine[]): found is readonly UserLine[] {
  return Array.isArray(found)
}

function cells({ name, subject, tenant, roles, isEnabled, createdAt }: UserLine): string[] {
  return [
    name,
    subject,
    tenant ?? '-',
    roles.length === 0 ? '-' : roles.join(','),
    isEnabled ? 'enabled' : 'disabled',
    createdAt.slice(0, 10),
  ]
}

function rolesOf(args: Arguments): readonly string[] {
  const roles = (textOption(args, 'roles') ?? '').split(',').map((role) => role.trim())
  return [...new Set(roles)].filter((role) => role !== '')
}

async function newPassword(args: Arguments, io: Io): Promise<string> {
  if (args.options['password-stdin'] === true) return readStdin(io)
  const otherwise = 'there is no terminal to ask in: give --password-stdin and the password on stdin'
  const password = await promptSecret(io, 'New password: ', otherwise)
  if ((await promptSecret(io, 'Once more: ', otherwise)) !== password) throw new Error('the two passwords are not the same')
  return password
}
