import type { CheckContext } from './check-context.ts'
import type { GatewayModel, RouteModel } from './model.ts'
import { checkName } from './unknown-name.ts'

/** Services that decide about requests (`auth.external`), against everything else that stands there. */
export function checkExternal({ findings }: CheckContext, { routes, services }: Omit<GatewayModel, 'hash'>): void {
  const names = services.map(({ name }) => name)
  for (const route of routes) {
    const { external } = route.auth
    if (external === undefined) continue
    const at = [...authPlace(route), 'external']
    if (!checkName(findings, [...at, 'service'], 'service', external.service, names)) continue
    const service = services.find(({ name }) => name === external.service)!
    if (service.targets.some(({ protocol }) => protocol === 'grpc')) {
      findings.error([...at, 'service'], 'a service of gRPC cannot be asked', 'name one that speaks HTTP')
    }
    const isOwn = route.auth.any.some((kind) => kind === 'bearer' || kind === 'basic')
    if (isOwn && external.send?.includes('authorization') === true && service.identity !== 'pass') {
      const remedy = `leave it out: the service is told who is calling; or give it identity: 'pass'`
      findings.error([...at, 'send'], 'the credential that this gateway checks would be handed on', remedy)
    }
    if (route.auth.any.includes('api-key') && external.send?.includes('x-api-key') === true) {
      findings.error([...at, 'send'], 'API keys of this gateway are handed to nobody', 'leave x-api-key out')
    }
    const cached = route.policies.find(({ policy, options }) => policy === 'cache' && options !== 'off')
    if (cached !== undefined && external.toService.length > 0) {
      const remedy = 'leave out toService, or the cache'
      findings.error([...at, 'toService'], 'what the authoriser says changes answers, and the cache does not know it', remedy)
    }
  }
}

function authPlace(route: RouteModel): (string | number)[] {
  return route.auth.source === 'defaults.auth' ? ['defaults', 'auth'] : ['routes', Number(/\d+/.exec(route.source)?.[0]), 'auth']
}
