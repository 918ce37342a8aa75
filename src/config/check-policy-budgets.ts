import { sizeText } from '../lib/size.ts'
import { quoted } from '../lib/unit-error.ts'
import type { ConfigPath, Findings } from './finding.ts'
import type { LoadedPolicy } from './load-policies.ts'

/** Tells of a custom policy that costs more than it says it may. A warning: it works, and it is its author's to judge. */
export function warnOfBudgets(findings: Findings, path: ConfigPath, name: string, loaded: LoadedPolicy): void {
  const { budgets, sourceBytes, trial } = loaded
  const policy = `the policy ${quoted(name)}`
  if (budgets !== undefined && sourceBytes > budgets.bytes) {
    findings.warn(
      path,
      `${policy} is ${kilobytes(sourceBytes)} of source, with what it imports; its budget is ${kilobytes(budgets.bytes)}`,
      'what is this large is a service of its own: ask it with auth: { external }, or give the policy another budgetBytes',
    )
  }
  if (trial === undefined) return
  if ('message' in trial) {
    findings.warn(path, `${policy}, tried with made-up requests: ${trial.message}`, trial.remedy)
    return
  }
  for (const { part, calls, medianMs, thrown } of trial) {
    if (thrown !== undefined) {
      findings.warn(
        path,
        `${policy}: ${part} threw for every one of ${calls} made-up requests: ${thrown}`,
        'let it come to an end whatever request there is; one that it throws for gets the answer that onError declares',
      )
    } else if (budgets !== undefined && medianMs > budgets.ms) {
      findings.warn(
        path,
        `${policy}: ${part} took ${milliseconds(medianMs)} of its thread, the middle one of ${calls} calls with made-up requests; its budget is ${budgets.ms}ms`,
        'let it do less for a request, since all others of the worker wait; or give the policy another budgetMs',
      )
    }
  }
}

function kilobytes(bytes: number): string {
  return bytes < 1024 || bytes % 1024 === 0 ? sizeText(bytes) : `${(bytes / 1024).toFixed(1)}kb`
}

function milliseconds(ms: number): string {
  return `${ms < 10 ? Number(ms.toPrecision(2)) : Math.round(ms)}ms`
}
