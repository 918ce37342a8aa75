/** One place where a source file names another module. */
export interface ModuleReference {
  readonly specifier: string
  readonly line: number
  /** `computed`: an import whose module is only known at run time; its specifier is ''. */
  readonly kind: 'static' | 'dynamic' | 'computed' | 'file'
}

const regexMayFollow = /(?:^|[(,=:[!&|?{};+\-*%<>~^]|=>|\b(?:return|typeof|case|in|of|do|else|void|throw|await|yield))\s*$/

function blot(part: string): string {
  return part.replace(/[^\n]/g, '_')
}

/**
 * The code with the contents of comments, strings, templates and regular expressions blotted out, every character in
 * its place: what is left can be searched for syntax.
 */
export function maskCode(text: string): string {
  let out = ''
  let i = 0
  /** For each open template its depth of braces; code inside `${}` is code. */
  const templates: number[] = []
  let braces = 0
  const until = (end: number): void => {
    out += blot(text.slice(i, end))
    i = end
  }
  const template = (): void => {
    let end = i
    while (end < text.length && text[end] !== '`' && !(text[end] === '$' && text[end + 1] === '{'))
      end += text[end] === '\\' ? 2 : 1
    until(end)
    if (text[i] === '`') {
      out += '`'
      i++
    } else if (i < text.length) {
      out += '${'
      i += 2
      templates.push(braces)
    }
  }
  while (i < text.length) {
    const c = text[i]
    if (c === '/' && text[i + 1] === '/') {
      const end = text.indexOf('\n', i)
      until(end === -1 ? text.length : end)
    } else if (c === '/' && text[i + 1] === '*') {
      const end = text.indexOf('*/', i + 2)
      until(end === -1 ? text.length : end + 2)
    } else if (c === "'" || c === '"') {
      let end = i + 1
      while (end < text.length && text[end] !== c && text[end] !== '\n') end += text[end] === '\\' ? 2 : 1
      out += c + blot(text.slice(i + 1, end)) + (text[end] ?? '')
      i = end + 1
    } else if (c === '`') {
      out += '`'
      i++
      template()
    } else if (c === '}' && templates.at(-1) === braces) {
      templates.pop()
      out += '}'
      i++
      template()
    } else if (c === '/' && regexMayFollow.test(out.slice(-40))) {
      let end = i + 1
      let inClass = false
      while (end < text.length && text[end] !== '\n' && (inClass || text[end] !== '/')) {
        if (text[end] === '[') inClass = true
        else if (text[end] === ']') inClass = false
        end += text[end] === '\\' ? 2 : 1
      }
      out += '/' + blot(text.slice(i + 1, end)) + (text[end] ?? '')
      i = end + 1
    } else {
      if (c === '{') braces++
      else if (c === '}') braces--
      out += c
      i++
    }
  }
  return out
}

const staticImport = /^\s*(?:import|export)\s(?:[\w*{}\s,$]+?\sfrom\s*)?(['"])(_*)\1/gm
const typeImport = /\bimport\s*\(\s*(?:(['"`])(_*)\1)?/g
const required = /\brequire(?:\.resolve)?\s*\(\s*(?:(['"`])(_*)\1)?/g
const fileReference = /\bnew URL\(\s*(['"])(_+)\1\s*,\s*import\.meta\.url\s*\)/g

/** Every module that a source file names: imports, re-exports, types, dynamic ones, and files by `import.meta.url`. */
export function moduleReferences(text: string): ModuleReference[] {
  const masked = maskCode(text)
  const references: ModuleReference[] = []
  const collect = (pattern: RegExp, kind: ModuleReference['kind']): void => {
    for (const found of masked.matchAll(pattern)) {
      const quote = found[1] as string | undefined
      const line = masked.slice(0, found.index + found[0].search(/\S/)).split('\n').length
      if (quote === undefined) {
        references.push({ specifier: '', line, kind: 'computed' })
        continue
      }
      const start = found.index + found[0].indexOf(quote) + 1
      references.push({ specifier: text.slice(start, start + found[2].length), line, kind })
    }
  }
  collect(staticImport, 'static')
  collect(typeImport, 'dynamic')
  collect(required, 'dynamic')
  collect(fileReference, 'file')
  return references.toSorted((a, b) => a.line - b.line)
}

/** Lines with a default export, counted from 1. */
export function defaultExports(text: string): number[] {
  const masked = maskCode(text)
  return [...masked.matchAll(/\bexport\s+default\b|\bexport\s*\{[^}]*\bas\s+default\b/g)].map(
    (found) => masked.slice(0, found.index).split('\n').length,
  )
}

export interface ExportedName {
  /** `*` for everything that another file exports. */
  readonly name: string
  /** Where it is declared, when that is another file. */
  readonly from: string | undefined
  readonly isDocumented: boolean
}

const exportAll = /\bexport\s+(?:type\s+)?\*\s*from\s*(['"])(_*)\1/g
const exportList = /\bexport\s+(?:type\s+)?\{([^}]*)\}(?:\s*from\s*(['"])(_*)\2)?/g
const declaration = /\bexport\s+(?:declare\s+)?(?:abstract\s+)?(?:async\s+)?(?:const|let|function\*?|class|interface|type)\s+(\w+)/g

/** Every name that a file exports, and whether a doc comment stands before its declaration here. */
export function exportedNames(text: string): ExportedName[] {
  const masked = maskCode(text)
  const names: ExportedName[] = []
  for (const found of masked.matchAll(exportList)) {
    const quoteAt = found[2] === undefined ? -1 : found.index + found[0].indexOf(found[2]) + 1
    const from = quoteAt === -1 ? undefined : text.slice(quoteAt, quoteAt + found[3].length)
    for (const entry of found[1].split(',')) {
      const original = entry
        .trim()
        .replace(/^type\s+/, '')
        .split(/\s+as\s+/)[0]
      if (original !== '') names.push({ name: original, from, isDocumented: false })
    }
  }
  for (const found of masked.matchAll(exportAll)) {
    const start = found.index + found[0].indexOf(found[1]) + 1
    names.push({ name: '*', from: text.slice(start, start + found[2].length), isDocumented: false })
  }
  for (const found of masked.matchAll(declaration)) {
    const isDocumented = text.slice(0, found.index).trimEnd().endsWith('*/')
    names.push({ name: found[1], from: undefined, isDocumented })
  }
  return names
}
