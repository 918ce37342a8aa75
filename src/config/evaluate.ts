import { extname } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { Worker } from 'node:worker_threads'
import type { Clock } from '../core/clock.ts'
import { durationText } from '../lib/duration.ts'
import type { Evaluated, EvaluateOrder, ThrownFacts } from './evaluate-thread.ts'

/** A fault of a configuration module that kept it from yielding data, in one line, with the place where it is known. */
export interface EvaluateFault {
  readonly file: string
  readonly line?: number | undefined
  readonly column?: number | undefined
  readonly message: string
  readonly remedy: string
}

/** The outcome: what was exported, or why nothing was. */
export type Evaluation =
  | Exclude<Evaluated, { kind: 'failed' | 'unsettled' }>
  | { readonly kind: 'fault'; readonly fault: EvaluateFault; readonly files: readonly string[] }

export interface EvaluateOptions {
  readonly env: NodeJS.ProcessEnv
  readonly clock: Clock
  /** Longest time a module may take; past it the thread is ended. */
  readonly timeoutMs: number
  /** Where the module's own output goes; never to stdout, which belongs to the command. */
  readonly print: (text: string) => void
}

// tsc rewrites imports, not URLs: sources run as .ts, the published package as .js.
const extension = extname(import.meta.filename)
const threadUrl = new URL(`./evaluate-thread${extension}`, import.meta.url)
const velumUrl = new URL(`../index${extension}`, import.meta.url).href

/** Evaluates a JavaScript or TypeScript module in a thread of its own, so that every load sees the files as they are now. */
export async function evaluateModule(
  file: string,
  options: EvaluateOptions,
): Promise<Exclude<Evaluation, { kind: 'policy' | 'no-policy' | 'trial' }>> {
  const evaluation = await evaluate({ entryUrl: pathToFileURL(file).href, velumUrl }, file, options)
  const { kind } = evaluation
  if (kind === 'policy' || kind === 'no-policy' || kind === 'trial') throw new Error('a configuration was asked for')
  return evaluation
}

/** Evaluates the module of a custom policy in the same way, and has it read options as routes have them. */
export async function evaluatePolicy(
  file: string,
  policyOptions: readonly unknown[],
  options: EvaluateOptions,
): Promise<Extract<Evaluation, { kind: 'policy' | 'fault' }>> {
  const evaluation = await evaluate({ entryUrl: pathToFileURL(file).href, velumUrl, policyOptions }, file, options)
  if (evaluation.kind === 'policy' || evaluation.kind === 'fault') return evaluation
  const message = evaluation.kind === 'no-policy' ? evaluation.why : 'the module has no default export'
  return { kind: 'fault', fault: { file, message, remedy: 'write export default definePolicy({ … })' }, files: evaluation.files }
}

/** Calls a policy with made-up requests, in the same way; with options that it was seen to take. */
export async function evaluateTrial(
  file: string,
  policyOptions: readonly unknown[],
  options: EvaluateOptions,
): Promise<Extract<Evaluation, { kind: 'trial' | 'fault' }>> {
  const order: EvaluateOrder = { entryUrl: pathToFileURL(file).href, velumUrl, policyOptions, isTrial: true }
  const evaluation = await evaluate(order, file, options)
  if (evaluation.kind !== 'trial' && evaluation.kind !== 'fault') throw new Error('a trial was asked for')
  return evaluation
}

async function evaluate(order: EvaluateOrder, file: string, options: EvaluateOptions): Promise<Evaluation> {
  const worker = new Worker(threadUrl, {
    workerData: order,
    env: options.env,
    execArgv: ['--disable-warning=MODULE_TYPELESS_PACKAGE_JSON', '--disable-warning=ExperimentalWarning'],
    stdout: true,
    stderr: true,
    resourceLimits: { maxOldGenerationSizeMb: 512 },
  })
  for (const stream of [worker.stdout, worker.stderr]) stream.on('data', (text: Buffer) => options.print(text.toString()))
  const fault = (message: string, remedy: string): Evaluation => ({
    kind: 'fault',
    fault: { file, message, remedy },
    files: [file],
  })
  let evaluation: Evaluation | undefined
  const ended = new Promise<Evaluation>((resolve) => {
    worker.on('message', (evaluated: Evaluated) => {
      evaluation ??= evaluationOf(file, evaluated)
      // A timer or an open socket of the module would keep the thread alive.
      void worker.terminate()
    })
    worker.on('error', (error: NodeJS.ErrnoException) => {
      evaluation ??=
        error.code === 'ERR_WORKER_OUT_OF_MEMORY'
          ? fault('the file used up the memory of its thread', 'build less data in the file')
          : { kind: 'fault', fault: faultFrom(file, thrownFacts(error)), files: [file] }
    })
    worker.on('exit', (code) => {
      if (evaluation !== undefined) return resolve(evaluation)
      resolve(
        fault(
          `the file ended its thread with process.exit(${code})`,
          order.policyOptions === undefined ? 'remove the call: a config is data' : 'remove the call',
        ),
      )
    })
  })
  const timer = options.clock.after(options.timeoutMs, () => {
    const within = durationText(options.timeoutMs)
    evaluation ??=
      order.isTrial === true
        ? fault(`a call did not come back within ${within}`, 'look for an endless loop')
        : fault(
            `the file did not finish evaluating within ${within}`,
            'look for an endless loop or a top-level await of something slow',
          )
    void worker.terminate()
  })
  const outcome = await ended
  timer.cancel()
  return outcome
}

function evaluationOf(file: string, evaluated: Evaluated): Evaluation {
  const { kind, files } = evaluated
  if (kind === 'failed') return { kind: 'fault', fault: faultFrom(file, evaluated.error), files }
  if (kind !== 'unsettled') return evaluated
  return {
    kind: 'fault',
    fault: { file, message: 'a top-level await in the file never settles', remedy: 'await only what comes to an end' },
    files,
  }
}

function thrownFacts(error: NodeJS.ErrnoException): ThrownFacts {
  return { name: error.name, code: error.code, message: error.message, stack: error.stack ?? '' }
}

function faultFrom(entry: string, error: ThrownFacts): EvaluateFault {
  const place = placeOf(error)
  const file = place?.file ?? entry
  return { file, line: place?.line, column: place?.column, ...wordsFor(error) }
}

function wordsFor(error: ThrownFacts): { message: string; remedy: string } {
  const message = error.message.split('\n')[0]
  if (error.code === 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX') {
    const what = /^TypeScript (.*) is not supported/.exec(message)?.[1] ?? 'this syntax'
    return {
      message: `TypeScript's ${what} does not work here: Node runs the file by erasing types, and this is more than a type`,
      remedy: 'use erasable TypeScript only: no enums, namespaces, parameter properties or import aliases',
    }
  }
  if (error.name === 'SyntaxError' && /does not provide an export/.test(message)) {
    return { message: `an import asks for something that is not there: ${message}`, remedy: 'correct the name in the import' }
  }
  if (error.name === 'SyntaxError') return { message: `the file cannot be read: ${message}`, remedy: 'correct the syntax there' }
  if (error.code === 'ERR_MODULE_NOT_FOUND') {
    const what = /^Cannot find (?:module|package) '([^']*)'/.exec(message)?.[1] ?? 'a module'
    return {
      message: `it imports ${what}, which does not exist`,
      remedy: 'correct the import (with its extension), or install the package',
    }
  }
  return {
    message: `evaluating the file failed: ${error.name === '' ? '' : `${error.name}: `}${message}`,
    remedy: 'correct the code there',
  }
}

/** The place that an error names first outside of Node: who imports in vain, `file:line` over a caret, or the top frame. */
function placeOf(error: ThrownFacts): { file: string; line?: number; column?: number } | undefined {
  const importer = error.code === 'ERR_MODULE_NOT_FOUND' ? / imported from (\S.*)$/m.exec(error.message) : null
  if (importer !== null) return { file: fileName(importer[1]) }
  const head = /^((?:file:\/\/)?\/.*):(\d+)\n((?:.*\n){0,8}?( *)\^)?/.exec(error.stack)
  if (head !== null) {
    const place = { file: fileName(head[1]), line: Number(head[2]) }
    return head[4] === undefined ? place : { ...place, column: head[4].length + 1 }
  }
  for (const [, file, line, column] of error.stack.matchAll(/\(?(file:\/\/.*?):(\d+):(\d+)\)?$/gm)) {
    if (file !== threadUrl.href) return { file: fileName(file), line: Number(line), column: Number(column) }
  }
  return undefined
}

function fileName(text: string): string {
  return text.startsWith('file://') ? fileURLToPath(text) : text
}
