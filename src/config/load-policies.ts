import { createHash } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { stableJson } from '../lib/stable-json.ts'
import { systemClock } from '../core/clock.ts'
import type { PolicyBudgets } from '../policies/custom/define-policy.ts'
import type { PartTrial } from '../policies/custom/try-policy.ts'
import type { EvaluateFault, EvaluateOptions } from './evaluate.ts'
import { evaluatePolicy, evaluateTrial } from './evaluate.ts'
import { membersOf } from './members-of.ts'
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
  /** Bytes of all that was read. */
  readonly sourceBytes: number
  /** What it says it may cost; undefined for what is no policy. */
  readonly budgets: PolicyBudgets | undefined
  /** What its calls with made-up requests came to, or why that is not known. Undefined where none was made. */
  readonly trial: readonly PartTrial[] | EvaluateFault | undefined
}

/** By the name in the configuration. */
export type LoadedPolicies = ReadonlyMap<string, LoadedPolicy>

/** How the modules of custom policies are loaded. */
export interface PolicyLoadOptions extends ReadOptions {
  /** Whether policies are called with made-up requests, to know what they cost. Default: false. */
  readonly tryPolicies?: boolean
}

/** Options as they were written, as a key. */
export function optionsKey(options: unknown): string {
  return options === undefined ? '' : stableJson(options)
}

/**
 * Evaluates the modules of the custom policies of a configuration (as it was written), each in a thread of its own, and has
 * them read the options of its routes; with `tryPolicies`, they are called with made-up requests too. Whatever does not have
 * its form is passed over here: the check says so.
 */
export async function loadPolicies(
  input: unknown,
  file: string,
  { env, clock, timeoutMs, print, tryPolicies }: PolicyLoadOptions = {},
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
    const startedAt = options.clock.monotonic()
    const evaluated = await evaluatePolicy(module, written, options)
    const tookMs = options.clock.monotonic() - startedAt
    const isPolicy = evaluated.kind === 'policy'
    const faults = isPolicy ? evaluated.optionFaults : []
    const fitting = written.filter((_, i) => faults[i] === undefined)
    loaded.set(name, {
      file: module,
      fault: evaluated.kind === 'fault' ? evaluated.fault : undefined,
      optionFaults: new Map(faults.flatMap((fault, i) => (fault === undefined ? [] : [[optionsKey(written[i]), fault]]))),
      files: [...new Set([module, ...evaluated.files])],
      ...contentsOf([...new Set(evaluated.files)].sort()),
      budgets: isPolicy ? evaluated.budgets : undefined,
      trial: isPolicy && tryPolicies === true ? await trialOf(module, fitting, tookMs, options) : undefined,
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

/** What a thread has for a trial besides what evaluating took: twenty times what the trial itself takes. */
const graceMs = 2000

/** Evaluates the module again, in a thread that can be ended, and calls it there. */
async function trialOf(
  file: string,
  fitting: readonly unknown[],
  tookMs: number,
  options: EvaluateOptions,
): Promise<LoadedPolicy['trial']> {
  if (fitting.length === 0) return undefined
  // What the policy prints for requests that nobody sent would be taken for news.
  const bounded = { ...options, timeoutMs: Math.min(options.timeoutMs, Math.ceil(tookMs) + graceMs), print() {} }
  const tried = await evaluateTrial(file, fitting, bounded)
  return tried.kind === 'trial' ? tried.parts : tried.fault
}

function contentsOf(files: readonly string[]): Pick<LoadedPolicy, 'digest' | 'sourceBytes'> {
  const hash = createHash('sha256')
  let sourceBytes = 0
  for (const file of files) {
    let content: Buffer
    try {
      content = readFileSync(file)
    } catch {
      // It went after it was evaluated: the next look finds out.
      continue
    }
    sourceBytes += content.length
    hash.update(`${file}\0${content.length}\0`).update(content)
  }
  return { digest: hash.digest('base64url').slice(0, 16), sourceBytes }
}
