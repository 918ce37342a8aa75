import { stringify } from 'yaml'
import type { Keywords } from '../policies/shapes/schema-tree.ts'
import type { Operation } from '../policies/shapes/shape.ts'
import { parseAuthority } from '../wire/authority.ts'
import { membersOf } from './members-of.ts'
import { readOpenapi, serverUrl } from './read-openapi.ts'
import { SchemaFiles } from './schema-files.ts'
import type { SchemaFinding } from './schema-files.ts'

export interface ImportOptions {
  /** How the configuration will name the file: relative to where it will lie. */
  readonly writtenAs: string
  /** Where requests go. Default: the origin of the description's first server. */
  readonly service?: string | undefined
}

/** What an import came to. */
export interface Imported {
  /** The configuration, in YAML; undefined when there is an error among the findings. */
  readonly text: string | undefined
  readonly findings: readonly SchemaFinding[]
  /** What whoever imports should know before it is run. */
  readonly notes: readonly string[]
}

const placeholder = 'http://127.0.0.1:8000'

/** A configuration with a route for each path of an OpenAPI description, which checks requests by it. */
export function importOpenapi(file: string, { writtenAs, service }: ImportOptions): Imported {
  const files = new SchemaFiles()
  const root = files.open(file)
  if (!('document' in root)) return { text: undefined, findings: root, notes: [] }
  const { shape, findings } = readOpenapi(files, root)
  if (shape === undefined) return { text: undefined, findings, notes: [] }
  const document = root.document as Keywords
  const notes: string[] = []
  const server = service ?? originOf(serverUrl(document))
  if (server === undefined)
    notes.push(`the description names no server: set the url of services.api, which is ${placeholder} for now`)
  const isNamed = service === undefined && server !== undefined
  const host = isNamed ? new URL(server).host : undefined
  if (isNamed) {
    notes.push(
      `requests go to ${server}, as the description says; if that is where this gateway shall stand, name what is behind it with --service URL`,
    )
  }
  const hasSecurity = asksForCredentials(document)
  notes.push(
    hasSecurity
      ? 'the description asks for credentials: they are passed on for the service to judge; to have them judged here, set auth'
      : 'the description asks for no credentials, so every route is public; to change that, set auth',
  )
  const { title, version } = membersOf(document['info'])
  const config = {
    name: slug(oneLine(title)) || 'api',
    listeners: { web: { port: 8080 } },
    services: { api: { url: server ?? placeholder, ...(hasSecurity ? { identity: 'pass' } : {}) } },
    defaults: { auth: 'public' },
    routes: routesOf(shape.operations).map(({ name, path, methods }) => {
      const rewrite = host === undefined ? undefined : { host }
      return { name, match: { path, methods }, to: 'api', rewrite, body: { openapi: writtenAs } }
    }),
  }
  const head = [
    `${oneLine(title) || 'An API'}${version === undefined ? '' : `, ${oneLine(version)}`}: made by "velum import openapi".`,
    'Requests that do not fit the description are answered with 400, 404, 405, 415 or 422 and never reach the service.',
    ...notes.map((note) => `Note: ${note}.`),
  ]
  return { text: `${head.map((line) => `# ${line}`).join('\n')}\n${stringify(config, { lineWidth: 130 })}`, findings, notes }
}

interface ImportedRoute {
  readonly name: string
  readonly path: string
  readonly methods: readonly string[]
}

/** A route for each set of paths that the gateway cannot tell apart. */
function routesOf(operations: readonly Operation[]): readonly ImportedRoute[] {
  const routes = new Map<string, { name: string; path: string; methods: Set<string> }>()
  const names = new Set<string>()
  for (const { method, path } of operations) {
    // The gateway serves none.
    if (method === 'TRACE') continue
    const pattern = patternOf(path)
    const shape = pattern.replace(/\{[^}]*\}/g, '*')
    const route = routes.get(shape) ?? { name: unusedName(slug(path) || 'root', names), path: pattern, methods: new Set<string>() }
    routes.set(shape, route)
    route.methods.add(method)
  }
  return [...routes.values()].map(({ name, path, methods }) => ({ name, path, methods: [...methods] }))
}

/** A template as a pattern of a route: a parameter there is a whole segment, with a plain name that stands once. */
function patternOf(template: string): string {
  const seen = new Set<string>()
  const segments = template.split('/').map((segment) => {
    if (!segment.includes('{')) return segment
    const name = /^\{([A-Za-z_][\w-]*)\}$/.exec(segment)?.[1]
    if (name === undefined || seen.has(name)) return '*'
    seen.add(name)
    return `{${name}}`
  })
  return segments.join('/')
}

function unusedName(wanted: string, names: Set<string>): string {
  let name = wanted
  for (let n = 2; names.has(name); n++) name = `${wanted}-${n}`
  names.add(name)
  return name
}

/** Words of letters and digits with "-" between them, beginning with a letter. */
function slug(text: string): string {
  const words = text.match(/[A-Za-z0-9]+/g) ?? []
  return words
    .join('-')
    .replace(/^[0-9-]+/, '')
    .slice(0, 50)
    .replace(/-+$/, '')
}

function oneLine(text: unknown): string {
  return (typeof text === 'string' ? text : '').replace(/\s+/g, ' ').slice(0, 100)
}

/** The origin of an address whose host a request can be sent to: names that stand for nothing are none. */
function originOf(url: string | undefined): string | undefined {
  if (url === undefined || !URL.canParse(url)) return undefined
  const { protocol, host, origin } = new URL(url)
  return (protocol === 'http:' || protocol === 'https:') && parseAuthority(host) !== undefined ? origin : undefined
}

/** Whether some operation asks for a credential. */
function asksForCredentials(document: Keywords): boolean {
  if (isAsking(document['security'])) return true
  const operations = Object.values(membersOf(document['paths'])).flatMap((item) => Object.values(membersOf(item)))
  return operations.some((operation) => isAsking(membersOf(operation)['security']))
}

function isAsking(security: unknown): boolean {
  return Array.isArray(security) && security.some((one) => Object.keys(membersOf(one)).length > 0)
}
