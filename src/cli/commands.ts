import { existsSync } from 'node:fs'
import type { CommandEntry } from './command.ts'
import { demoConfig } from './demo-place.ts'

/** All commands but `help`, in the order in which help lists them. */
export const commands: readonly CommandEntry[] = [
  {
    name: 'run',
    summary: 'Runs the gateway. SIGHUP reloads its configuration, SIGTERM drains and ends it.',
    load: async () => (await import('./run-command.ts')).runCommand,
  },
  {
    name: 'demo',
    summary: 'Runs four small services with the gateway in front of them, and says what to try.',
    isAvailable: () => existsSync(demoConfig),
    load: async () => (await import('./demo-command.ts')).demoCommand,
  },
  {
    name: 'init',
    summary: 'Writes a small commented velum.config.ts that works as it stands.',
    load: async () => (await import('./init-command.ts')).initCommand,
  },
  {
    name: 'check',
    summary: 'Loads, validates and compiles the configuration without opening a port.',
    load: async () => (await import('./check-command.ts')).checkCommand,
  },
  {
    name: 'routes',
    summary: 'Prints the compiled route table in match order, with the policies of each route.',
    load: async () => (await import('./routes-command.ts')).routesCommand,
  },
  {
    name: 'explain',
    summary: 'Says what would be decided about a request, by which policy and rule. Charges nothing, sends nothing.',
    load: async () => (await import('./explain-command.ts')).explainCommand,
  },
  {
    name: 'diff',
    summary: 'Says what a change of the configuration adds, removes and alters, route by route.',
    load: async () => (await import('./diff-command.ts')).diffCommand,
  },
  {
    name: 'import',
    summary: 'Makes a configuration of an OpenAPI description: routes that check their requests by it.',
    load: async () => (await import('./import-command.ts')).importCommand,
  },
  {
    name: 'bridge',
    summary: 'Prints the methods behind bridges: list, as an OpenAPI document, as a GraphQL schema.',
    load: async () => (await import('./bridge-command.ts')).bridgeCommand,
  },
  {
    name: 'test',
    summary: 'Runs tests of policies in-process: time that is told, services that are made up, no ports.',
    load: async () => (await import('./test-command.ts')).testCommand,
  },
  {
    name: 'replay',
    summary: 'Decides about the requests of an access log again, by another configuration: who would be treated differently?',
    load: async () => (await import('./replay-command.ts')).replayCommand,
  },
  {
    name: 'user',
    summary: 'Keeps the people who log in by password: add, list, disable, enable, passwd.',
    load: async () => (await import('./user-command.ts')).userCommand,
  },
  {
    name: 'token',
    summary: 'Says what a token is, and revokes tokens, sessions, subjects, clients and keys.',
    load: async () => (await import('./token-command.ts')).tokenCommand,
  },
  {
    name: 'shadow',
    summary: 'Puts a limit or a penalty of the running gateway into shadow for a while, or takes it out.',
    load: async () => (await import('./shadow-command.ts')).shadowCommand,
  },
  {
    name: 'penalty',
    summary: 'Says who is in the penalty box, puts clients there and lets them out.',
    load: async () => (await import('./penalty-command.ts')).penaltyCommand,
  },
  {
    name: 'key',
    summary: 'Makes, lists and revokes API keys.',
    load: async () => (await import('./key-command.ts')).keyCommand,
  },
  {
    name: 'keys',
    summary: 'Rotates the keys that sign tokens.',
    load: async () => (await import('./keys-command.ts')).keysCommand,
  },
  {
    name: 'version',
    summary: 'Prints the version of Velum and of its runtime.',
    load: async () => (await import('./version-command.ts')).versionCommand,
  },
]
