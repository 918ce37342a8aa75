import { dirname, resolve } from 'node:path'
import { z } from 'zod'
import type { BodyShapes } from './body-shapes.ts'
import type { ConfigPath, Findings } from './finding.ts'
import type { LoadedDescriptors } from './load-descriptors.ts'
import type { LoadedPolicies } from './load-policies.ts'
import type { Reading } from './reading.ts'
import { name } from './schema/units.ts'

/** What the checks of the sections share. */
export interface CheckContext {
  readonly reading: Reading
  readonly findings: Findings
  /** Milliseconds since 1970: what has expired is judged by it. */
  readonly now: number
  /** Files that the configuration names and that were read, so that a watcher knows them. */
  readonly files: Set<string>
  /** What the services' `protos` and `descriptors` came to. */
  readonly descriptors: LoadedDescriptors
  /** What the modules of custom policies came to. */
  readonly policies: LoadedPolicies
  /** What request bodies are checked by. */
  readonly shapes: BodyShapes
}

/** A path of the configuration, relative to its file, made absolute. */
export function absolutePath(context: CheckContext, path: string): string {
  return resolve(dirname(context.findings.source.file), path)
}

/** The names of a section's entries as they were written: a faulty entry still exists for those who name it. */
export function namesOf(context: CheckContext, section: ConfigPath): string[] {
  const written = context.reading.at(section)
  return typeof written === 'object' && written !== null && !Array.isArray(written) ? Object.keys(written) : []
}

const anyRecord = z.record(z.string(), z.unknown())
const anyName = name()

/** The same, with findings for a section that is no object and for names that cannot be. Once per section. */
export function checkedNames(context: CheckContext, section: ConfigPath): string[] {
  const { reading } = context
  if (reading.at(section) === undefined || reading.read(anyRecord, section) === undefined) return []
  const names = namesOf(context, section)
  for (const entry of names) reading.readValue(anyName, entry, [...section, entry])
  return names
}
