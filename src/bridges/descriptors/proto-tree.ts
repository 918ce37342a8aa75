import { readFileSync } from 'node:fs'
import { dirname, join, relative, sep } from 'node:path'
import { builtInProtos } from './built-in-protos.ts'

/** What keeps a `.proto` or a descriptor set from being used. */
export interface ProtoFault {
  /** Absolute path; '' when no file is at fault. */
  readonly file: string
  /** In one line. */
  readonly message: string
  /** From 1. */
  readonly line: number | undefined
  readonly column: number | undefined
}

/** Files as the compiler wants them: by the name under which they are imported. */
export interface ProtoTree {
  readonly texts: ReadonlyMap<string, string>
  /** Import name → absolute path, of those that come from disk. */
  readonly paths: ReadonlyMap<string, string>
  readonly faults: readonly ProtoFault[]
}

/** The compiler has these itself. */
const isWellKnown = (name: string): boolean => name.startsWith('google/protobuf/')

const maxFiles = 2000

/**
 * Reads files and, in turn, all that they import. The import names tell where the tree begins: a file whose imports are
 * found from a folder above it is itself named from there, as the compiler would with that folder as its root.
 */
export function readProtoTree(files: readonly string[], root: string): ProtoTree {
  const texts = new Map<string, string>()
  const paths = new Map<string, string>()
  const faults: ProtoFault[] = []
  const queue: { name: string; path: string }[] = []
  const queued = new Set<string>()
  const want = (name: string, path: string): void => {
    if (queued.has(name)) return
    queued.add(name)
    queue.push({ name, path })
  }
  const read = new Map<string, string | undefined>()
  const textOf = (path: string): string | undefined => {
    if (!read.has(path)) read.set(path, readText(path))
    return read.get(path)
  }
  const roots = rootsOf(files, root, textOf)
  for (const path of files) want(nameUnder(roots.get(path)!, path), path)
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const { name, path } = next
    const text = textOf(path)
    if (text === undefined) {
      faults.push({ file: path, message: 'the file cannot be read', line: undefined, column: undefined })
      continue
    }
    if (texts.size >= maxFiles) {
      faults.push({ file: path, message: `more than ${maxFiles} files are imported`, line: undefined, column: undefined })
      break
    }
    texts.set(name, text)
    paths.set(name, path)
    for (const { name: imported, line } of importsOf(text)) {
      if (isWellKnown(imported) || texts.has(imported)) continue
      const builtIn = builtInProtos.get(imported)
      if (builtIn !== undefined) {
        addBuiltIn(imported, builtIn, texts)
        continue
      }
      const found = findImport(imported, path, root, textOf)
      if (found !== undefined) want(imported, found)
      else
        faults.push({
          file: path,
          message: `the imported file "${imported}" is found in no folder above this one`,
          line,
          column: undefined,
        })
    }
  }
  return { texts, paths, faults }
}

function addBuiltIn(name: string, text: string, texts: Map<string, string>): void {
  texts.set(name, text)
  for (const { name: imported } of importsOf(text)) {
    const next = builtInProtos.get(imported)
    if (next !== undefined && !texts.has(imported)) addBuiltIn(imported, next, texts)
  }
}

/** The folder from which each file is named: that of the first import which is found, else its own. */
function rootsOf(
  files: readonly string[],
  root: string,
  textOf: (path: string) => string | undefined,
): ReadonlyMap<string, string> {
  const roots = new Map<string, string>()
  for (const path of files) {
    let found = dirname(path)
    for (const { name } of importsOf(textOf(path) ?? '')) {
      if (isWellKnown(name) || builtInProtos.has(name)) continue
      const imported = findImport(name, path, root, textOf)
      if (imported === undefined) continue
      found = imported.slice(0, -name.length - 1)
      break
    }
    roots.set(path, found)
  }
  return roots
}

function nameUnder(folder: string, path: string): string {
  return relative(folder, path).split(sep).join('/')
}

function findImport(name: string, from: string, root: string, textOf: (path: string) => string | undefined): string | undefined {
  if (name.startsWith('/') || name.split('/').includes('..')) return undefined
  for (let folder = dirname(from); ; folder = dirname(folder)) {
    const path = join(folder, ...name.split('/'))
    if (textOf(path) !== undefined) return path
    if (folder === root || folder === dirname(folder)) return undefined
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

const importLine = /(?<=^|;)[ \t]*import\s+(?:public\s+|weak\s+|option\s+)?(?:"([^"\n]+)"|'([^'\n]+)')\s*;/gm

/** Strings too, since a path template may hold what looks like the beginning of a comment. */
const stringOrComment = /"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g

/** The imports of a file; comments are taken out first, lines keep their numbers. */
function importsOf(text: string): { name: string; line: number }[] {
  const bare = text.replaceAll(stringOrComment, (part) => (part.startsWith('/') ? part.replaceAll(/[^\n]/g, ' ') : part))
  const found: { name: string; line: number }[] = []
  for (const match of bare.matchAll(importLine)) {
    found.push({ name: match[1] ?? match[2], line: bare.slice(0, match.index).split('\n').length })
  }
  return found
}
