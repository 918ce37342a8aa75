import type { Command } from './command.ts'
import { configOption, exitCode, jsonOption, onlyOption, UsageError } from './command.ts'
import { withOffice } from './identity-office.ts'

export const keysCommand: Command = {
  usage: 'rotate [--json]',
  options: { config: configOption, only: onlyOption, json: jsonOption },
  maxPositionals: 1,
  async run(args, io) {
    if (args.positionals[0] !== 'rotate') throw new UsageError('say what to do: rotate (see "velum help keys")')
    const code = await withOffice(args, io, async (office) => {
      const kid = await office.rotateKeys()
      if (args.options['json'] === true) io.out(`${JSON.stringify({ kid })}\n`)
      else io.out(`made the signing key ${kid}; it takes over when everybody can have read it, and the one before stays valid\n`)
      return exitCode.done
    })
    return code ?? exitCode.input
  },
}
