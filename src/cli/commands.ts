import { checkCommand } from './check-command.ts'
import type { Command } from './command.ts'
import { demoCommand } from './demo-command.ts'
import { initCommand } from './init-command.ts'
import { routesCommand } from './routes-command.ts'
import { runCommand } from './run-command.ts'
import { versionCommand } from './version-command.ts'

/** All commands but `help`, in the order in which help lists them. */
export const commands: readonly Command[] = [runCommand, demoCommand, initCommand, checkCommand, routesCommand, versionCommand]
