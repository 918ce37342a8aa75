// The throw-away thread in which one configuration module is evaluated. It posts exactly one `Evaluated` message and
// ends; everything that can go wrong in foreign code stays inside.
import { readFileSync } from 'node:fs'
import { registerHooks, stripTypeScriptTypes } from 'node:module'
import { fileURLToPath } from 'node:url'
import { parentPort, workerData } from 'node:worker_threads'
import type { NotData } from './plain-data.ts'
import type { AnyPolicy, PolicyBudgets } from '../policies/custom/define-policy.ts'
import { budgetsOf, parsePolicy, readOptions } from '../policies/custom/define-policy.ts'
import { importObjection } from '../policies/custom/import-objection.ts'
import type { PartTrial } from '../policies/custom/try-policy.ts'
import { tryPolicy } from '../policies/custom/try-policy.ts'
import { systemClock } from '../core/clock.ts'
import { plainCopy } from './plain-data.ts'

/** What main asks for: the module, and where `import 'velum'` leads. */
export interface EvaluateOrder {
  readonly entryUrl: string
  readonly velumUrl: string
  /** The module is one of a custom policy, which is to read these options. Absent: it is a configuration. */
  readonly policyOptions?: readonly unknown[] | undefined
  /** The policy is to be called with made-up requests; it was evaluated before, and takes all these options. */
  readonly isTrial?: boolean | undefined
}

/** What comes back. `files` are the local modules that were read, also when it failed. */
export type Evaluated =
  | { readonly kind: 'data'; readonly input: unknown; readonly notData: readonly NotData[]; readonly files: readonly string[] }
  | {
      readonly kind: 'policy'
      readonly budgets: PolicyBudgets
      readonly optionFaults: readonly (string | undefined)[]
      readonly files: readonly string[]
    }
  | { readonly kind: 'trial'; readonly parts: readonly PartTrial[]; readonly files: readonly string[] }
  | { readonly kind: 'no-policy'; readonly why: string; readonly files: readonly string[] }
  | { readonly kind: 'no-default'; readonly names: readonly string[]; readonly files: readonly string[] }
  | { readonly kind: 'unsettled'; readonly files: readonly string[] }
  | { readonly kind: 'failed'; readonly error: ThrownFacts; readonly files: readonly string[] }

/** An error of foreign code, flattened: errors of classes do not pass between threads as they are. */
export interface ThrownFacts {
  readonly name: string
  readonly code: string | undefined
  readonly message: string
  readonly stack: string
}

const { entryUrl, velumUrl, policyOptions, isTrial } = workerData as EvaluateOrder
const velumFolder = new URL('.', velumUrl).href
const files: string[] = []

/** Whether a module is the author's: neither a package's nor Velum's. */
function isOwnModule(url: string): boolean {
  return url.startsWith('file:') && !url.includes('/node_modules/') && !url.startsWith(velumFolder)
}

registerHooks({
  resolve(specifier, context, nextResolve) {
    // However far from node_modules the file lies, it means the Velum that reads it.
    if (specifier === 'velum') return { url: velumUrl, shortCircuit: true }
    if (policyOptions !== undefined && isOwnModule(context.parentURL ?? '')) {
      const objection = importObjection(specifier)
      if (objection !== undefined) throw new Error(`${objection} (${fileURLToPath(context.parentURL!)})`)
    }
    return nextResolve(specifier, context)
  },
  load(url, context, nextLoad) {
    if (isOwnModule(url)) files.push(fileURLToPath(url))
    // A TypeScript configuration is a module, whatever "type" the nearest package.json states.
    const format = url === entryUrl && url.endsWith('.ts') ? 'module-typescript' : context.format
    return nextLoad(url, { ...context, format })
  },
})

function thrownFacts(thrown: unknown): ThrownFacts {
  if (!(thrown instanceof Error))
    return { name: '', code: undefined, message: `it threw ${JSON.stringify(thrown) ?? typeof thrown}`, stack: '' }
  const code = (thrown as NodeJS.ErrnoException).code
  const facts = { name: thrown.name, code, message: thrown.message, stack: thrown.stack ?? '' }
  return thrown instanceof SyntaxError && !/^\S+:\d+\n/.test(facts.stack) ? located(facts) : facts
}

/** V8 does not say where a module's syntax is wrong; the type stripper reads the same grammar and does. */
function located(facts: ThrownFacts): ThrownFacts {
  for (const file of files) {
    if (!/\.m?js$/.test(file)) continue
    try {
      stripTypeScriptTypes(readFileSync(file, 'utf8'), { sourceUrl: file })
    } catch (thrown) {
      const stack = thrown instanceof Error ? (thrown.stack ?? '') : ''
      return { ...facts, stack: stack.replace(/^.*?:(\d+)\n/, `${file}:$1\n`) }
    }
  }
  return facts
}

async function evaluate(): Promise<Evaluated> {
  try {
    const module = (await import(entryUrl)) as Record<string, unknown>
    if (!('default' in module)) return { kind: 'no-default', names: Object.keys(module), files }
    if (policyOptions !== undefined && isTrial === true) {
      callNobody()
      return { kind: 'trial', parts: await tryPolicy(parsePolicy(module['default']), policyOptions, systemClock), files }
    }
    if (policyOptions !== undefined) return readPolicy(module['default'], policyOptions)
    const notData: NotData[] = []
    // A promise is awaited for the author's comfort: `export default load()` is data once it has come.
    const input = plainCopy(await module['default'], (found) => notData.push(found))
    return { kind: 'data', input, notData, files }
  } catch (thrown) {
    return { kind: 'failed', error: thrownFacts(thrown), files }
  }
}

function readPolicy(exported: unknown, options: readonly unknown[]): Evaluated {
  let definition: AnyPolicy
  try {
    definition = parsePolicy(exported)
  } catch (thrown) {
    return { kind: 'no-policy', why: (thrown as Error).message, files }
  }
  const optionFaults = options.map((written) => {
    try {
      readOptions(definition, written)
      return undefined
    } catch (thrown) {
      return (thrown instanceof Error ? thrown.message : String(thrown)).split('\n')[0].slice(0, 300)
    }
  })
  return { kind: 'policy', budgets: budgetsOf(definition), optionFaults, files }
}

/** Nobody is to hear of requests that nobody sent: what could call throws from here on. */
function callNobody(): void {
  for (const name of ['fetch', 'WebSocket', 'EventSource']) {
    const value = function refused(): never {
      throw new Error(`${name} was called, and a policy calls nobody`)
    }
    Object.defineProperty(globalThis, name, { value, configurable: true })
  }
}

let isDone = false

async function post(evaluated: Evaluated): Promise<void> {
  if (isDone) return
  isDone = true
  // What the module printed comes before its end: main ends this thread at once.
  for (const stream of [process.stdout, process.stderr]) await new Promise((resolve) => stream.write('', resolve))
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port has no origin
  parentPort!.postMessage(evaluated)
}

// Nothing is left to run, and the module has not come to its end: it awaits what never happens.
process.on('beforeExit', () => void post({ kind: 'unsettled', files }))

void evaluate().then(post)
