/** A place in a configuration: `['routes', 2, 'limits', 0, 'use']`. Empty: the whole file. */
export type ConfigPath = readonly (string | number)[]

/** One thing that `velum check` has to say. Secrets never stand in it. */
export interface Finding {
  /** An error keeps the configuration from being used; a warning does not. */
  readonly severity: 'error' | 'warning'
  /** Absolute path of the file that is to be changed. */
  readonly file: string
  /** `routes[2].limits[0].use`; '' when the fault is not at one place. In a file of several gateways their index comes first. */
  readonly path: string
  /** The gateway that is meant, in a file that holds several. */
  readonly gateway?: string | undefined
  /** What is wrong, in one line. */
  readonly message: string
  /** What would be right, in one line. */
  readonly remedy: string
  /** From 1, where the file's format tells. */
  readonly line?: number | undefined
  readonly column?: number | undefined
}

/** Where a configuration came from, and what else is known of its text. */
export interface ConfigSource {
  /** Absolute path, for messages; relative paths inside are relative to its folder. */
  readonly file: string
  /** Where the gateway stands in a file of several, and its name. Absent: it is the whole file. */
  readonly member?: { readonly index: number; readonly name: string } | undefined
  /** Line and column (from 1) of a place, when the format tells. */
  readonly locate?: ((path: ConfigPath) => { line: number; column: number } | undefined) | undefined
  /** Values that came from the environment: the path's text → the text as written (`${NAME}`). */
  readonly expansions?: ReadonlyMap<string, string> | undefined
  /** What never stands in a message: values of the environment → the text to show in their place. */
  readonly hidden?: ReadonlyMap<string, string> | undefined
}

/** `routes[2].limits[0].use`; names that are no plain words are put in brackets and quotes. */
export function pathText(path: ConfigPath): string {
  let text = ''
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`
    else if (/^[\w$-]+$/.test(part)) text += text === '' ? part : `.${part}`
    else text += `[${JSON.stringify(part)}]`
  }
  return text
}

/** The path in the whole file of a path in one of its gateways. */
export function pathInFile({ member }: ConfigSource, path: ConfigPath): ConfigPath {
  return member === undefined ? path : [member.index, ...path]
}

/** A place in a file that a configuration names, as far as it is known. */
interface FilePlace {
  readonly file: string
  readonly line: number | undefined
  readonly column: number | undefined
}

/** Collects findings about one source. */
export class Findings {
  readonly source: ConfigSource
  readonly list: Finding[] = []

  constructor(source: ConfigSource) {
    this.source = source
  }

  error(path: ConfigPath, message: string, remedy: string): void {
    this.#add('error', path, message, remedy)
  }

  /** An error in a file that the configuration names, at a place there. */
  errorIn(place: FilePlace, path: ConfigPath, message: string, remedy: string): void {
    this.#addIn('error', place, path, message, remedy)
  }

  /** The same for a warning. */
  warnIn(place: FilePlace, path: ConfigPath, message: string, remedy: string): void {
    this.#addIn('warning', place, path, message, remedy)
  }

  warn(path: ConfigPath, message: string, remedy: string): void {
    this.#add('warning', path, message, remedy)
  }

  /** As they stand in the file, where places are known; else as they were found. */
  inOrder(): Finding[] {
    return this.list.toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0))
  }

  get hasErrors(): boolean {
    return this.list.some((finding) => finding.severity === 'error')
  }

  /** Without what is hidden, in one line: a text of the file that stands in a message may have several. */
  #hide(text: string): string {
    let hidden = text
    for (const [value, written] of this.source.hidden ?? []) {
      hidden = hidden.replaceAll(value, () => written).replaceAll(JSON.stringify(value).slice(1, -1), () => written)
    }
    return hidden.replace(/\s*[\r\n]\s*/g, ' ')
  }

  #placed(path: ConfigPath): Pick<Finding, 'path' | 'gateway'> {
    const { member } = this.source
    return { path: pathText(pathInFile(this.source, path)), ...(member === undefined ? {} : { gateway: member.name }) }
  }

  #addIn(severity: Finding['severity'], place: FilePlace, path: ConfigPath, message: string, remedy: string): void {
    this.list.push({ severity, ...this.#placed(path), message: this.#hide(message), remedy: this.#hide(remedy), ...place })
  }

  #add(severity: 'error' | 'warning', path: ConfigPath, message: string, remedy: string): void {
    const place = this.source.locate?.(pathInFile(this.source, path))
    this.list.push({
      severity,
      file: this.source.file,
      ...this.#placed(path),
      message: this.#hide(message),
      remedy: this.#hide(remedy),
      ...(place === undefined ? {} : { line: place.line, column: place.column }),
    })
  }
}
