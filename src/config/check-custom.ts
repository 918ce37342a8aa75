import type { CustomUse, CustomUseInput } from '../policies/custom.ts'
import { policyKinds } from '../policies/list.ts'
import { quoted } from '../lib/unit-error.ts'
import type { CheckContext } from './check-context.ts'
import { absolutePath, checkedNames, namesOf } from './check-context.ts'
import { warnOfBudgets } from './check-policy-budgets.ts'
import type { ConfigPath } from './finding.ts'
import { pathText } from './finding.ts'
import { optionsKey } from './load-policies.ts'
import type { CustomPolicyModel } from './model.ts'
import { customPoliciesSchema } from './schema/routes.ts'
import { checkName } from './unknown-name.ts'

const section = 'policies'
/** Names that stand for something else in log, metrics and problems. */
const taken = new Set([...policyKinds.map(({ name }) => name), 'limits', 'penalties', 'respond', 'redirect'])

/** The modules of custom policies. */
export function checkCustomPolicies(context: CheckContext): readonly CustomPolicyModel[] {
  const { reading, findings } = context
  const models: CustomPolicyModel[] = []
  for (const name of checkedNames(context, [section])) {
    const path: ConfigPath = [section, name]
    if (taken.has(name)) {
      findings.error(path, `${quoted(name)} is the name of something else on routes`, 'give the policy a name of its own')
      continue
    }
    const written = reading.read(customPoliciesSchema.valueType, path)
    if (written === undefined) continue
    const loaded = context.policies.get(name)
    if (loaded === undefined) {
      const module = absolutePath(context, written)
      // A watcher sees it come.
      context.files.add(module)
      findings.error(
        path,
        `the module of the policy ${quoted(name)} is no file: ${module}${whereUsed(context, name)}`,
        'correct the path; it is relative to the config file',
      )
      continue
    }
    for (const file of loaded.files) context.files.add(file)
    const { fault, file, digest } = loaded
    if (fault === undefined) {
      models.push({ name, file, digest })
      warnOfBudgets(findings, path, name, loaded)
      continue
    }
    const place = { file: fault.file, line: fault.line, column: fault.column }
    findings.errorIn(place, path, `the policy ${quoted(name)}: ${fault.message}${whereUsed(context, name)}`, fault.remedy)
  }
  return models
}

/** The custom policies of one route, each with its place and what its module says of its options; findings where that does not fit. */
export function checkCustomUses(context: CheckContext, i: number, uses: readonly CustomUse[]): readonly CustomUse[] {
  const { reading, findings } = context
  const names = namesOf(context, [section])
  const own: ConfigPath = ['routes', i, section]
  const seen = new Set<string>()
  return uses.map((use) => {
    const path =
      placeOf(reading.at(own), own, use.use) ?? placeOf(reading.at(['defaults', section]), ['defaults', section], use.use) ?? own
    const isKnown = checkName(findings, path, 'policy', use.use, names)
    if (isKnown && seen.has(use.use)) {
      findings.error(path, `the policy ${quoted(use.use)} stands on this route already`, 'name it once')
    }
    seen.add(use.use)
    const loaded = context.policies.get(use.use)
    const fault = loaded?.optionFaults.get(optionsKey(use.options))
    if (fault !== undefined) {
      const at = use.options === undefined ? path : [...path, 'options']
      findings.error(
        at,
        `the policy ${quoted(use.use)} does not take these options on ${routeName(context, i)}: ${fault}`,
        `see the function "options" in ${loaded!.file}`,
      )
    }
    return { ...use, source: pathText(path), digest: loaded?.digest ?? '' }
  })
}

function placeOf(written: unknown, path: ConfigPath, name: string): ConfigPath | undefined {
  if (!Array.isArray(written)) return undefined
  const at = (written as CustomUseInput[]).findIndex((use) => nameIn(use) === name)
  return at === -1 ? undefined : [...path, at]
}

function nameIn(use: unknown): unknown {
  return typeof use === 'object' && use !== null ? (use as { use?: unknown }).use : use
}

/** Where a policy stands, in words. */
function whereUsed(context: CheckContext, name: string): string {
  const users = usersOf(context, name)
  if (users.length === 0) return ''
  return `; it stands on ${users.slice(0, 3).join(', ')}${users.length > 3 ? ' and others' : ''}`
}

function usersOf(context: CheckContext, name: string): string[] {
  const { reading } = context
  const names = (path: ConfigPath): boolean => placeOf(reading.at(path), path, name) !== undefined
  const routes = reading.at(['routes'])
  const found = names(['defaults', section]) ? ['defaults'] : []
  if (!Array.isArray(routes)) return found
  for (const i of routes.keys()) if (names(['routes', i, section])) found.push(routeName(context, i))
  return found
}

function routeName(context: CheckContext, i: number): string {
  const name = context.reading.at(['routes', i, 'name'])
  return typeof name === 'string' ? `the route ${quoted(name)}` : `routes[${i}]`
}
