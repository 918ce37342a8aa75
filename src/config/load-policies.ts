import { createHash } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { stableJson } from '../lib/stable-json.ts'
import { systemClock } from '../core/clock.ts'
import type { EvaluateFault, EvaluateOptions } from './evaluate.ts'
import { evaluatePolicy } from './evaluate.ts'
import type { ReadOptions } from './read-input.ts'

/** What came of the module of a custom policy. */
export interface LoadedPolicy {
  /** Absolute. */
  readonly file: string
  /** Why it is no policy; undefined when it is one. */
  readonly fault: EvaluateFault | undefined
  /** Options as a route has them (`optionsKey`) → what the policy has against them. */
  readonly optionFaults: ReadonlyMap<string, string>
  /** Everything that was read for it. */
  readonly files: readonly string[]
  /** Hash of all that was read: another one, and the policy is another. */
  readonly digest: string
}

/** By the name in the configuration. */
export type LoadedPolicies = ReadonlyMap<string, LoadedPolicy>

/** Options as they were written, as a key. */
export function optionsKey(options: unknown): string {
  return options === undefined ? '' : stableJson(options)
}

/**
 * Evaluates the modules of the custom policies of a configuration (as it was written), each in a thread of its own, and has
 * them read the options of its routes. Whatever does not have its form is passed over here: the check says so.
 */
export async function loadPolicies(
  input: unknown,
  file: string,
  { env, clock, timeoutMs, print }: ReadOptions = {},
): Promise<LoadedPolicies> {
  const options: EvaluateOptions = {
    env: env ?? process.env,
    clock: clock ?? systemClock,
    timeoutMs: timeoutMs ?? 10_000,
    print: print ?? ((text) => void process.stderr.write(text)),
  }
  const { policies, routes, defaults } = membersOf(input)
  const uses = [defaults, ...(Array.isArray(routes) ? routes : [])].flatMap((part) => {
    const written = membersOf(part)['policies']
    return Array.isArray(written) ? written.map(useOf) : []
  })
  const loaded = new Map<string, LoadedPolicy>()
  for (const [name, path] of Object.entries(membersOf(policies))) {
    if (typeof path !== 'string') continue
    const module = resolve(dirname(file), path)
    if (!isFile(module)) continue
    const written = [
      ...new Map(uses.filter(({ use }) => use === name).map((use) => [optionsKey(use.options), use.options])).values(),
    ]
    const evaluated = await evaluatePolicy(module, written, options)
    const isPolicy = evaluated.kind === 'policy'
    const faults = isPolicy ? evaluated.optionFaults : []
    loaded.set(name, {
      file: module,
      fault: evaluated.kind === 'fault' ? evaluated.fault : undefined,
      optionFaults: new Map(faults.flatMap((fault, i) => (fault === undefined ? [] : [[optionsKey(written[i]), fault]]))),
      files: [...new Set([module, ...evaluated.files])],
      digest: digestOf([...new Set(evaluated.files)].sort()),
    })
  }
  return loaded
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true
}

function useOf(written: unknown): { readonly use: unknown; readonly options: unknown } {
  if (typeof written === 'string') return { use: written, options: undefined }
  const { use, options } = membersOf(written)
  return { use, options }
}

function digestOf(files: readonly string[]): string {
  const hash = createHash('sha256')
  for (const file of files) {
    let content: Buffer
    try {
      content = readFileSync(file)
    } catch {
      // It went after it was evaluated: the next look finds out.
      continue
    }
    hash.update(`${file}\0${content.length}\0`).update(content)
  }
  return hash.digest('base64url').slice(0, 16)
}

function membersOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {}
}
