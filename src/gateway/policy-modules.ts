import { registerHooks } from 'node:module'
import { extname } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { CustomPolicyModel, GatewayModel } from '../config/model.ts'
import { parsePolicy } from '../policies/custom/define-policy.ts'
import { importObjection } from '../policies/custom/import-objection.ts'
import type { CustomPolicies } from '../policies/custom.ts'
import type { GenerationEnv } from './worker.ts'

const marker = '?velum-policy='
const extension = extname(import.meta.filename)
const velumUrl = new URL(`../index${extension}`, import.meta.url).href

/** What a Generation of this configuration is compiled with: the same, with its custom policies loaded. */
export async function withPolicies(model: GatewayModel, env: GenerationEnv): Promise<GenerationEnv> {
  return model.policies === undefined ? env : { ...env, customPolicies: await loadPolicyModules(model.policies) }
}

/**
 * Imports the modules of custom policies into this thread. An edited one is another module; the one before stays in memory
 * until the thread ends, since modules cannot be let go of. Rejects, in words, for one that cannot be used.
 */
async function loadPolicyModules(models: readonly CustomPolicyModel[]): Promise<CustomPolicies> {
  hookModules()
  const policies = new Map()
  for (const { name, file, digest } of models) {
    const url = `${pathToFileURL(file).href}${marker}${digest}`
    entries.add(url)
    try {
      const module = (await import(url)) as Record<string, unknown>
      policies.set(name, parsePolicy(module['default']))
    } catch (thrown) {
      throw new Error(`the policy ${name} cannot be loaded: ${thrown instanceof Error ? thrown.message : String(thrown)}`, {
        cause: thrown,
      })
    }
  }
  return policies
}

const entries = new Set<string>()
let isHooked = false

/** What a policy's module imports from beside it is as new as the module itself, and 'velum' is this Velum. */
function hookModules(): void {
  if (isHooked) return
  isHooked = true
  registerHooks({
    resolve(specifier, context, nextResolve) {
      const at = context.parentURL?.indexOf(marker) ?? -1
      if (at === -1) return nextResolve(specifier, context)
      if (specifier === 'velum') return { url: velumUrl, shortCircuit: true }
      const objection = importObjection(specifier)
      if (objection !== undefined) throw new Error(objection)
      const resolved = nextResolve(specifier, context)
      const isOwn = resolved.url.startsWith('file:') && !resolved.url.includes('/node_modules/') && !resolved.url.includes('?')
      return isOwn ? { ...resolved, url: resolved.url + context.parentURL!.slice(at) } : resolved
    },
    load(url, context, nextLoad) {
      // Like a configuration: a module, whatever "type" the nearest package.json states.
      const isTypeScript = entries.has(url) && url.slice(0, url.indexOf(marker)).endsWith('.ts')
      return nextLoad(url, isTypeScript ? { ...context, format: 'module-typescript' } : context)
    },
  })
}
