import { readFileSync } from 'node:fs'
import type { Command } from './command.ts'
import { exitCode } from './command.ts'

/** The version of this package. */
export function packageVersion(): string {
  const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
  return manifest.version
}

export const versionCommand: Command = {
  usage: '',
  options: {},
  maxPositionals: 0,
  run: async (_, io) => {
    io.out(`velum ${packageVersion()} (node ${process.versions.node})\n`)
    return exitCode.done
  },
}
