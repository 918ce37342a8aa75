import type { BridgeSpec } from '../bridges/create-bridge.ts'
import { DescriptorError, readDescriptors } from '../bridges/descriptors/descriptors.ts'
import type { Descriptors } from '../bridges/descriptors/descriptors.ts'
import type { ConfiguredRule } from '../bridges/descriptors/http-rule.ts'
import { samplePath } from '../bridges/grpc-json/path-template.ts'
import { compileRules } from '../bridges/grpc-json/rules.ts'
import { standardJson } from '../bridges/json/message-codec.ts'
import { Headers } from '../core/headers.ts'
import { createRouter } from '../routing/router.ts'
import { readGraphql } from './check-graphql.ts'
import type { CheckContext } from './check-context.ts'
import type { ReadRoute } from './check-routes.ts'
import type { ConfigPath } from './finding.ts'
import type { GatewayModel, GrpcModel, RouteModel } from './model.ts'
import type { Service } from './check-services.ts'
import type { httpRuleSchema } from './schema/bridges.ts'
import type { z } from 'zod'

/** The ways in which a service describes itself. */
const descriptions = ['protos', 'descriptors', 'reflection'] as const

type Rule = z.output<typeof httpRuleSchema>
type Binding = Omit<Rule, 'selector' | 'additional'>

/** How a service describes itself to bridges; undefined when it does not, or (with findings) when that is not usable. */
export function checkGrpc(context: CheckContext, name: string, service: Service): GrpcModel | undefined {
  const { findings } = context
  const path = ['services', name]
  const keys = descriptions.filter((key) => service[key] !== undefined)
  if (keys.length > 1) {
    findings.error(path, `the service has both ${keys.join(' and ')}`, 'keep one of them')
    return undefined
  }
  const rules = configuredRules(context, [...path, 'rules'], service.rules ?? [])
  const [key] = keys
  if (key === undefined) {
    if (service.rules !== undefined)
      findings.error([...path, 'rules'], 'there are rules but no methods', 'add protos, descriptors or reflection')
    return undefined
  }
  const maxMessageBytes = service.maxMessage ?? 4_194_304
  if (service.reflection !== undefined) {
    const { metadata = {}, every = 60_000 } = service.reflection === true ? {} : service.reflection
    return { set: undefined, reflection: { metadata, everyMs: every }, rules, maxMessageBytes }
  }
  const loaded = context.descriptors.get(name)
  if (loaded === undefined) return undefined
  for (const file of loaded.files) context.files.add(file)
  for (const { file, message, line, column } of loaded.faults) {
    const remedy = key === 'protos' ? 'correct the file' : 'compile it anew: buf build -o FILE'
    if (file === '' || line === undefined) findings.error([...path, key], file === '' ? message : `${file}: ${message}`, remedy)
    else findings.errorIn({ file, line, column }, [...path, key], message, remedy)
  }
  if (loaded.set === undefined) return undefined
  const descriptors = read(context, [...path, key], loaded.set, rules)
  if (descriptors === undefined) return undefined
  if (descriptors.methods.size === 0)
    findings.error([...path, key], 'no service is described there', 'name the files that hold a service')
  return { set: Buffer.from(loaded.set).toString('base64'), rules, maxMessageBytes }
}

function read(context: CheckContext, path: ConfigPath, set: Uint8Array, rules: readonly ConfiguredRule[]): Descriptors | undefined {
  try {
    return readDescriptors(set, rules)
  } catch (thrown) {
    if (!(thrown instanceof DescriptorError)) throw thrown
    context.findings.error(path, thrown.message, 'correct the name, or compile the description with all that it imports')
    return undefined
  }
}

const methods = ['get', 'put', 'post', 'delete', 'patch'] as const

function configuredRules(context: CheckContext, path: ConfigPath, rules: readonly Rule[]): ConfiguredRule[] {
  return rules.flatMap(({ selector, additional = [], ...first }, i) =>
    [first, ...additional].flatMap((binding, at) => {
      const place = at === 0 ? [...path, i] : [...path, i, 'additional', at - 1]
      const rule = configuredRule(binding)
      if (rule !== undefined) return [{ selector, ...rule }]
      context.findings.error(place, 'a rule has exactly one method', 'give it one of get, put, post, delete, patch, custom')
      return []
    }),
  )
}

function configuredRule(binding: Binding): Omit<ConfiguredRule, 'selector'> | undefined {
  const { body = '', responseBody = '', custom } = binding
  const given = methods.filter((method) => binding[method] !== undefined)
  if (given.length + (custom === undefined ? 0 : 1) !== 1) return undefined
  if (custom !== undefined) return { method: custom.kind, path: custom.path, body, responseBody }
  return { method: given[0].toUpperCase(), path: binding[given[0]]!, body, responseBody }
}

/** What a route translates. Findings where its services cannot be spoken to in gRPC. */
export function checkBridges(
  context: CheckContext,
  path: ConfigPath,
  { bridge: written = [], mirror }: ReadRoute,
  services: readonly { readonly service: string }[],
): BridgeSpec[] {
  if (written.length === 0) return []
  const { findings, reading } = context
  if (mirror !== undefined)
    findings.error(path, 'a mirror cannot copy what is translated', 'remove mirror, or make a route of its own')
  for (const { service } of services) {
    const at = ['services', service]
    if (reading.at(at) === undefined) continue
    if (descriptions.every((key) => reading.at([...at, key]) === undefined)) {
      const message = `the service "${service}" has no description that a bridge could work by`
      findings.error(path, message, `add protos, descriptors or reflection to services.${service}`)
    }
  }
  const specs = written.map((bridge): BridgeSpec => {
    if (bridge === 'grpc-web') return { kind: bridge }
    if (bridge === 'graphql') return { kind: bridge, graphql: readGraphql(context, path, { use: bridge }, written) }
    if (bridge === 'rest' || bridge === 'connect' || bridge === 'websocket') return { kind: bridge, json: standardJson }
    if (bridge.use === 'graphql') return { kind: bridge.use, graphql: readGraphql(context, path, bridge, written) }
    const { use, unknownFields = 'refuse', emitDefaults = false, enumsAsNumbers = false, protoNames = false } = bridge
    return { kind: use, json: { unknownFields, emitDefaults, enumsAsNumbers, protoNames } }
  })
  const twice = specs.find(({ kind }, i) => specs.findIndex((other) => other.kind === kind) < i)
  if (twice !== undefined) findings.error(path, `the bridge "${twice.kind}" stands here twice`, 'keep one of the two')
  return specs
}

/** HTTP rules against the routes that serve them: what can never be told apart, and what no request reaches. */
export function checkRules(context: CheckContext, model: Omit<GatewayModel, 'hash'>): void {
  for (const { name, grpc } of model.services) {
    if (grpc?.set === undefined) continue
    const routes = model.routes.filter((route) => isRestTo(route, name))
    if (routes.length === 0) continue
    const key = context.reading.at(['services', name, 'protos']) === undefined ? 'descriptors' : 'protos'
    const path = ['services', name, key]
    const { bindings, faults } = compileRules(readDescriptors(Buffer.from(grpc.set, 'base64'), grpc.rules), standardJson)
    for (const { method, path: template, message } of faults) {
      context.findings.error(
        path,
        `the rule "${template}" of ${method.path.slice(1)}: ${message}`,
        'correct the rule, or replace it in rules',
      )
    }
    if (routes.some(({ action }) => action.kind === 'to' && action.rewrite?.path !== undefined)) continue
    const router = createRouter(
      routes.map(({ name: route, match }) => ({ name: route, match: { ...match, hosts: [], headers: [], query: [] } })),
    )
    for (const { rule, template, method } of bindings) {
      const hit = router.match(rule.method === '*' ? 'GET' : rule.method, '', samplePath(template), noHeaders, undefined)
      if (hit?.route !== undefined) continue
      context.findings.warn(
        path,
        `no route with bridge rest reaches ${rule.method} ${rule.path} of ${method.path.slice(1)}`,
        'add the path to the match of a route, or remove the rule',
      )
    }
  }
}

const noHeaders = new Headers()

function isRestTo({ action }: RouteModel, service: string): boolean {
  if (action.kind !== 'to' || action.bridges?.some(({ kind }) => kind === 'rest') !== true) return false
  return action.services.some((share) => share.service === service)
}
