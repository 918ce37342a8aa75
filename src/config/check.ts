import { statSync } from 'node:fs'
import { dirname } from 'node:path'
import { z } from 'zod'
import { supportedAlgorithms } from '../limits/limit-fault.ts'
import { BodyShapes } from './body-shapes.ts'
import type { CheckContext } from './check-context.ts'
import type { CheckMemory } from './check-memory.ts'
import { absolutePath, namesOf } from './check-context.ts'
import { checkCustomPolicies } from './check-custom.ts'
import { checkDescriptions } from './check-descriptions.ts'
import { checkDns } from './check-dns.ts'
import { checkFleet } from './check-fleet.ts'
import { checkFloor } from './check-floor.ts'
import { checkIdentity } from './check-identity.ts'
import { checkLimits } from './check-limits.ts'
import { checkRules } from './check-bridges.ts'
import { checkSchemas } from './check-graphql.ts'
import { checkListeners } from './check-listeners.ts'
import { checkPenalties } from './check-penalties.ts'
import { checkRoutes } from './check-routes.ts'
import { checkServices } from './check-services.ts'
import { checkStore } from './check-store.ts'
import { checkTelemetry } from './check-telemetry.ts'
import { checkUse } from './check-use.ts'
import type { ConfigSource, Finding } from './finding.ts'
import { Findings } from './finding.ts'
import type { LoadedDescriptors } from './load-descriptors.ts'
import type { LoadedPolicies } from './load-policies.ts'
import type { GatewayModel } from './model.ts'
import { defaultName } from './model.ts'
import { modelHash } from './model-hash.ts'
import { Reading } from './reading.ts'
import { cacheMemorySchema, gatewaySchema, logSchema } from './schema/gateway.ts'

/** What a check is made with besides the configuration. */
export interface CheckOptions {
  /** Milliseconds since 1970, to judge what has expired. Default: now. */
  readonly now?: number
  /** The limit algorithms that can be run. Default: those of this version. */
  readonly algorithms?: readonly string[]
  /** What the services' `protos` and `descriptors` came to; a service that is not in it cannot be bridged. Default: none. */
  readonly descriptors?: LoadedDescriptors
  /** What the modules of custom policies came to. Default: none was loaded. */
  readonly policies?: LoadedPolicies
  /** What is known of the check before this one, of the same configuration. Default: nothing. */
  readonly memory?: CheckMemory | undefined
}

export interface CheckResult {
  /** Undefined when there is an error among the findings. */
  readonly model: GatewayModel | undefined
  readonly findings: readonly Finding[]
  /** Files that the configuration names and that were read: certificates, keys, key sets. Absolute. */
  readonly files: readonly string[]
}

/**
 * Checks a configuration as it was written (plain data) and makes the model that workers compile. Everything wrong is
 * found at once: each part is read for itself, so that one fault hides no other. Reads the files that it names.
 */
export function checkGateway(input: unknown, source: ConfigSource, options: CheckOptions = {}): CheckResult {
  const findings = new Findings(source)
  const reading = new Reading(gatewaySchema, input, findings)
  const context: CheckContext = {
    reading,
    findings,
    now: options.now ?? Date.now(),
    files: new Set(),
    descriptors: options.descriptors ?? new Map(),
    policies: options.policies ?? new Map(),
    shapes: new BodyShapes(),
  }
  const done = (model: GatewayModel | undefined): CheckResult => {
    return { model: findings.hasErrors ? undefined : model, findings: findings.inOrder(), files: [...context.files] }
  }
  if (reading.read(topSchema, []) === undefined && (typeof input !== 'object' || input === null || Array.isArray(input)))
    return done(undefined)
  const { shape } = gatewaySchema
  const name = reading.read(shape.name, ['name']) ?? defaultName
  const limits = checkLimits(context, options.algorithms ?? supportedAlgorithms)
  const { listeners, admin, probes } = checkListeners(context, limits)
  const penalties = checkPenalties(context)
  const { store, secrets } = checkStore(context)
  const trustedProxies = checkTrustedProxies(context)
  const dns = checkDns(context)
  const services = checkServices(context, limits)
  const identity = checkIdentity(context)
  const log = checkLog(context)
  const telemetry = checkTelemetry(context, name)
  const cacheBytes = reading.at(['cache']) === undefined ? undefined : reading.readFields(cacheMemorySchema, ['cache'])?.memory
  const reservedPath = reading.at(['identity']) === undefined ? undefined : identity.path
  const policies = checkCustomPolicies(context)
  const routes = checkRoutes(context, { services: namesOf(context, ['services']), limits, reservedPath }, options.memory)
  const model: Omit<GatewayModel, 'hash'> = {
    name,
    listeners,
    admin,
    probes,
    store,
    secrets,
    trustedProxies,
    dns,
    services,
    identity,
    limits: [...limits.values()].map(({ spec }) => spec),
    penalties,
    log,
    cacheBytes,
    ...(telemetry === undefined ? {} : { telemetry }),
    ...(policies.length === 0 ? {} : { policies }),
    ...(context.shapes.used.length === 0 ? {} : { shapes: context.shapes.used }),
    routes,
  }
  const floorLimits = checkFloor(context, model, limits)
  if (!findings.hasErrors) checkUse(context, model)
  if (!findings.hasErrors) checkFleet(context, model)
  if (!findings.hasErrors) checkRules(context, model)
  if (!findings.hasErrors) checkDescriptions(context, model)
  if (!findings.hasErrors) checkSchemas(context, model)
  const whole = floorLimits.length === 0 ? model : { ...model, floorLimits }
  return done({ ...whole, hash: modelHash(whole) })
}

/** For the unknown keys of the top; each section is read by its own check. */
const topSchema = z.strictObject(Object.fromEntries(Object.keys(gatewaySchema.shape).map((key) => [key, z.unknown().optional()])))

function checkLog(context: CheckContext): GatewayModel['log'] {
  const log = context.reading.at(['log']) === undefined ? undefined : context.reading.readFields(logSchema, ['log'])
  const written = log?.file ?? 'stdout'
  const isStream = written === 'stdout' || written === 'stderr'
  const file = isStream ? written : absolutePath(context, written)
  if (!isStream && !isFolder(dirname(file))) {
    context.findings.error(
      ['log', 'file'],
      `the folder ${dirname(file)} does not exist`,
      'make the folder, or correct the path; it is relative to the config file',
    )
  }
  return { format: log?.format ?? 'json', file, level: log?.level ?? 'info' }
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory()
  } catch {
    return false
  }
}

function checkTrustedProxies(context: CheckContext): readonly string[] {
  const blocks = context.reading.read(gatewaySchema.shape.trustedProxies, ['trustedProxies']) ?? []
  for (const [i, block] of blocks.entries()) {
    if (!block.endsWith('/0')) continue
    const remedy = 'name the addresses of your proxies'
    context.findings.warn(['trustedProxies', i], `${block} lets every client choose its own address`, remedy)
  }
  return blocks
}
