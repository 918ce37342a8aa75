import { posix } from 'node:path'
import { defaultExports, exportedNames, moduleReferences } from './source-code.ts'

/** Source files by path from the repository's root, with `/`. */
export type SourceTree = ReadonlyMap<string, string>

const siblings = ['wire', 'routing', 'limits', 'identity', 'cache', 'services', 'bridges', 'stores', 'policies'] as const
const below = ['lib', 'core'] as const

/** Who may import whom (DESIGN §3): folder of src → folders that it may name besides itself. */
export const layers: ReadonlyMap<string, readonly string[]> = new Map([
  ['lib', []],
  ['core', ['lib']],
  ...siblings.map((folder): [string, readonly string[]] => [folder, below]),
  // The two exceptions: a policy puts these on the path, a service speaks through a wire.
  ['policies', [...below, 'limits', 'identity', 'cache']],
  ['services', [...below, 'wire']],
  ['config', [...below, ...siblings]],
  ['gateway', [...below, ...siblings, 'config']],
  ['admin', [...below, ...siblings, 'config', 'gateway']],
  ['cli', [...below, ...siblings, 'config', 'gateway', 'admin']],
  // What tests of a configuration import: a gateway without ports.
  ['testing', [...below, ...siblings, 'config', 'gateway']],
  // The public doors, `src/index.ts` and the like.
  ['', [...below, ...siblings, 'config', 'gateway', 'admin', 'cli', 'testing']],
])

/** Where each outside package may be named in src. Whatever is not here may be named nowhere. */
export const fences: ReadonlyMap<string, readonly string[]> = new Map([
  ['jose', ['src/identity/']],
  ['@node-rs/argon2', ['src/identity/']],
  ['redis', ['src/stores/redis/']],
  ['undici', ['src/wire/node/']],
  ['zod', ['src/config/', 'src/policies/']],
  ['yaml', ['src/config/']],
  ['pino', ['src/gateway/']],
  ['@peculiar/x509', ['src/wire/tls/']],
  ['reflect-metadata', ['src/wire/tls/']],
  ['ipaddr.js', ['src/lib/']],
  ['@bufbuild/protobuf', ['src/bridges/']],
  ['@bufbuild/buf', ['src/bridges/']],
  ['openid-client', ['src/identity/']],
  ['@simplewebauthn/server', ['src/identity/']],
  ['ajv', ['src/policies/']],
  ['ajv-formats', ['src/policies/']],
  ['ws', ['src/bridges/']],
  ['graphql', ['src/bridges/']],
  ['graphql-ws', ['src/bridges/']],
  ['acme-client', ['src/wire/tls/']],
  ['@opentelemetry/api', ['src/gateway/']],
  ['@opentelemetry/otlp-exporter-base', ['src/gateway/']],
  ['@opentelemetry/otlp-transformer', ['src/gateway/']],
])

/** Modules of Node.js that have one place too; the others may be used anywhere. */
export const nodeFences: ReadonlyMap<string, readonly string[]> = new Map([
  ['node:http', ['src/wire/node/']],
  ['node:https', ['src/wire/node/']],
  ['node:http2', ['src/wire/http2/']],
  ['node:sqlite', ['src/stores/sqlite/']],
  ['node:cluster', []],
  ['node:vm', []],
])

/** The few places that load a module known only at run time: what an operator wrote, and the checkout's demo. */
const computedImports = new Set(['src/config/evaluate-thread.ts', 'src/gateway/policy-modules.ts', 'src/cli/demo-command.ts'])

/** Words that say nothing; a file that needs one has no clear idea yet. */
const emptyWords = /^(?:utils?|helpers?|common|misc|manager|processor|base|impl|data|info)$/
/** Names that carry one of them for a reason. */
const meaningful = new Set([
  'plain-data.ts', // "a config is data" is the contract's own word
])

const maxLines = 400

const isTest = (path: string): boolean => path.endsWith('.test.ts')

function layerOf(path: string): string | undefined {
  const parts = path.split('/')
  return parts[0] === 'src' ? (parts.length > 2 ? parts[1] : '') : undefined
}

function packageOf(specifier: string): string {
  const parts = specifier.split('/')
  return specifier.startsWith('@') ? parts.slice(0, 2).join('/') : parts[0]
}

/** Every breach of the rules on imports, as `file:line: what is wrong`. */
export function importBreaches(tree: SourceTree): string[] {
  const breaches: string[] = []
  for (const [path, text] of tree) {
    const layer = layerOf(path)
    if (layer === undefined || isTest(path)) continue
    for (const { specifier, line, kind } of moduleReferences(text)) {
      const found =
        kind === 'computed'
          ? computedImports.has(path)
            ? undefined
            : 'imports what is only known at run time'
          : specifier.startsWith('.')
            ? relativeBreach(path, layer, specifier)
            : packageBreach(path, specifier)
      if (found !== undefined) breaches.push(`${path}:${line}: ${found}`)
    }
  }
  return breaches
}

function relativeBreach(path: string, layer: string, specifier: string): string | undefined {
  const target = posix.normalize(posix.join(posix.dirname(path), specifier))
  const targetLayer = layerOf(target)
  if (targetLayer === undefined) {
    const isForCommands = target === 'package.json' || target.startsWith('demo/')
    return layer === 'cli' && isForCommands ? undefined : `${specifier} is outside of src`
  }
  const allowed = layers.get(layer)
  if (allowed === undefined) return `the folder ${layer} is not in the table of layers`
  if (targetLayer === layer || allowed.includes(targetLayer)) return isTest(target) ? `${specifier} is a test` : undefined
  return `${layer || 'a public door'} may not import ${targetLayer || 'a public door'} (${specifier})`
}

function packageBreach(path: string, specifier: string): string | undefined {
  const name = specifier.startsWith('node:') ? specifier : packageOf(specifier)
  const places = specifier.startsWith('node:') ? (nodeFences.get(name) ?? ['src/']) : fences.get(name)
  if (places === undefined)
    return `${name} has no fence: name its one place in the table, and its reason in docs/decisions/dependencies.md`
  return places.some((place) => path.startsWith(place))
    ? undefined
    : `${name} may only be imported in ${places.join(', ') || 'no place'}`
}

/** Every breach of the rules on files: names, sizes, default exports. */
export function fileBreaches(tree: SourceTree): string[] {
  const breaches: string[] = []
  for (const [path, text] of tree) {
    const isGenerated = path.includes('/gen/') || /^\/[/*].*generated/i.test(text) || text.startsWith('// Table:')
    const lines = text.split('\n').length - 1
    if (lines > maxLines && !isGenerated) breaches.push(`${path}: ${lines} lines, more than ${maxLines}`)
    const name = posix.basename(path)
    if (!isGenerated && !/^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.[a-z0-9-]+)*\.ts$/.test(name))
      breaches.push(`${path}: the name is not kebab-case`)
    for (const part of path.split('/')) {
      const word = part.split(/[-.]/).find((piece) => emptyWords.test(piece))
      if (word !== undefined && !meaningful.has(part)) breaches.push(`${path}: "${word}" says nothing about what is in it`)
    }
    if (name === 'index.ts' && path !== 'src/index.ts') breaches.push(`${path}: only src/index.ts is called index`)
    if (path.startsWith('src/')) for (const line of defaultExports(text)) breaches.push(`${path}:${line}: a default export`)
  }
  return breaches
}

const policyKind = /\bexport const \w+: PolicyKind\b/

/** Every breach of the rules on policies: each is listed, documented and has a test beside it, and no file stands idle. */
export function policyBreaches(tree: SourceTree): string[] {
  const list = 'src/policies/list.ts'
  const listed = importsOf(list, tree.get(list) ?? '')
  const breaches: string[] = []
  for (const [path, text] of tree) {
    if (!path.startsWith('src/policies/') || isTest(path)) continue
    if (!policyKind.test(text)) {
      if (!isImportedBySource(tree, path)) breaches.push(`${path}: nothing uses it`)
      continue
    }
    if (!listed.includes(path)) breaches.push(`${path}: a policy that list.ts does not list`)
    if (!tree.has(path.replace(/\.ts$/, '.test.ts'))) breaches.push(`${path}: no test beside it`)
    if (!/^ {2}doc:/m.test(text)) breaches.push(`${path}: no doc for the reference manual`)
  }
  return breaches
}

function importsOf(path: string, text: string): string[] {
  return moduleReferences(text)
    .filter(({ specifier }) => specifier.startsWith('.'))
    .map(({ specifier }) => posix.normalize(posix.join(posix.dirname(path), specifier)))
}

function isImportedBySource(tree: SourceTree, wanted: string): boolean {
  for (const [path, text] of tree)
    if (path.startsWith('src/') && !isTest(path) && importsOf(path, text).includes(wanted)) return true
  return false
}

/** Every name that a public door exports without a doc comment at its declaration. */
export function undocumentedExports(tree: SourceTree): string[] {
  const breaches: string[] = []
  for (const path of tree.keys()) {
    if (layerOf(path) !== '' || isTest(path)) continue
    for (const name of undocumented(tree, path)) breaches.push(`${path}: ${name} has no doc comment`)
  }
  return breaches
}

/** What a file exports, or only `wanted` of it, without a doc comment where it is declared. */
function undocumented(tree: SourceTree, path: string, wanted?: string): string[] {
  const exported = exportedNames(tree.get(path) ?? '')
  const chosen = wanted === undefined ? exported : exported.filter(({ name }) => name === wanted || name === '*')
  if (chosen.length === 0 && wanted !== undefined) return [wanted]
  return chosen.flatMap(({ name, from, isDocumented }) => {
    if (from === undefined) return isDocumented ? [] : [name]
    const target = posix.normalize(posix.join(posix.dirname(path), from))
    return undocumented(tree, target, name === '*' ? wanted : name)
  })
}

/** Dependencies of the manifest that have no fence or no line in docs/decisions/dependencies.md. */
export function unexplainedDependencies(
  manifest: { dependencies?: object; devDependencies?: object },
  explanations: string,
): string[] {
  const breaches: string[] = []
  for (const name of Object.keys(manifest.dependencies ?? {})) {
    if (!fences.has(name)) breaches.push(`${name} has no fence`)
  }
  for (const name of [...Object.keys(manifest.dependencies ?? {}), ...Object.keys(manifest.devDependencies ?? {})]) {
    if (!explanations.includes(`\`${name}\``)) breaches.push(`${name} has no line in docs/decisions/dependencies.md`)
  }
  return breaches
}
