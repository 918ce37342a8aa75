import type { TestContext } from 'node:test'
import type { Answer } from '../../src/core/answer.ts'
import type { Log, LogFields } from '../../src/core/log.ts'
import { silentMeter } from '../../src/core/meter.ts'
import type { AuditEntry } from '../../src/core/stores.ts'
import type { OwnIssuerSpec, ProviderSpec } from '../../src/identity/identity-spec.ts'
import { attachLoginToHub } from '../../src/identity/login/login-hub.ts'
import type { LoginHub } from '../../src/identity/login/login-hub.ts'
import { FakeProvider } from './fake-provider.ts'
import { GatedStores } from './gated-stores.ts'
import { identityWorld, issuer, ownIssuer, pairOf, worldSecret } from './identity-world.ts'
import type { IdentityWorld, RequestParts, WorkerWorld } from './identity-world.ts'

/** What browsers send when somebody follows a link, or is sent back from elsewhere. */
const navigation = ['Sec-Fetch-Site', 'cross-site', 'Sec-Fetch-Mode', 'navigate', 'Accept', 'text/html,*/*;q=0.8']

/** One person's browser: it keeps cookies. */
export interface FakeBrowser {
  readonly cookies: Map<string, string>
  go(path: string): Promise<Answer>
  post(path: string, form: Readonly<Record<string, string>>, accept?: string): Promise<Answer>
}

export interface OidcWorld {
  readonly world: IdentityWorld
  readonly worker: WorkerWorld
  /** The store as main sees it. */
  readonly gate: GatedStores
  readonly hub: LoginHub
  readonly own: OwnIssuerSpec
  /** Two providers, `corp` and `partner`. */
  readonly corp: FakeProvider
  readonly partner: FakeProvider
  readonly log: { readonly level: string; readonly message: string; readonly fields: LogFields | undefined }[]
  readonly browser: (on?: WorkerWorld) => FakeBrowser
  /** Goes to the provider and back, up to the callback's path. */
  readonly callback: (browser: FakeBrowser, provider?: 'corp' | 'partner', returnTo?: string) => Promise<string>
  /** A whole login; gives the callback's answer. */
  readonly login: (browser: FakeBrowser, provider?: 'corp' | 'partner', returnTo?: string) => Promise<Answer>
  readonly backchannel: (token: string | undefined, provider?: string) => Promise<Answer>
  readonly audit: (event: string) => Promise<AuditEntry['facts'][]>
}

/** How a provider is configured here. */
export function providerSpec(name: string, provider: FakeProvider, over: Partial<ProviderSpec> = {}): ProviderSpec {
  return {
    name,
    label: `The ${name}`,
    issuer: provider.issuer,
    clientId: provider.clientId,
    clientSecret: provider.clientSecret,
    scopes: ['openid', 'groups'],
    parameters: [['prompt', 'login']],
    roles: ['member'],
    rolesClaim: 'groups',
    roleMap: [['shop', ['staff']]],
    tenant: undefined,
    tenants: ['acme', 'other'],
    tenantClaim: 'org',
    skewMs: 30_000,
    refreshMs: 600_000,
    isIdTokenHinted: false,
    ...over,
  }
}

/** A node with two providers. */
export async function oidcWorld(
  t: TestContext,
  over: Partial<ProviderSpec> = {},
  own: Partial<OwnIssuerSpec> = {},
): Promise<OidcWorld> {
  const providers: ProviderSpec[] = []
  const world = await identityWorld({ providers, ...own })
  const { clock } = world
  const corp = new FakeProvider('https://corp.example.com', clock)
  const partner = new FakeProvider('https://partner.example.com', clock)
  providers.push(providerSpec('corp', corp, over), providerSpec('partner', partner))
  const gate = new GatedStores(world.stores, () => clock.monotonic())
  const log: OidcWorld['log'] = []
  const hub = attachLoginToHub(world.hub, {
    clock,
    log: logInto(log),
    meter: silentMeter,
    fetch: (input, init) => {
      const url = new URL(input instanceof Request ? input.url : input)
      return (url.origin === corp.issuer ? corp : partner).fetch(url, init)
    },
    store: () => ({ stores: gate, secrets: [worldSecret] }),
  })
  const spec = ownIssuer({ providers, ...own })
  hub.commit(spec, '/auth')
  t.after(async () => {
    await hub.close()
    await world.close()
  })
  const worker = await world.worker()
  const browser = (on = worker): FakeBrowser => browserOf(on)
  const callback: OidcWorld['callback'] = async (at, provider = 'corp', returnTo) => {
    const query = returnTo === undefined ? '' : `?return_to=${encodeURIComponent(returnTo)}`
    const sent = await at.go(`/auth/oidc/${provider}${query}`)
    if (sent.status !== 302) throw new Error(`not sent to the provider: ${sent.status} ${sent.body.bytes?.toString()}`)
    return (provider === 'corp' ? corp : partner).authorize(sent.headers.get('location')!)
  }
  return {
    world,
    worker,
    gate,
    hub,
    own: spec,
    corp,
    partner,
    log,
    browser,
    callback,
    login: async (at, provider, returnTo) => at.go(await callback(at, provider, returnTo)),
    backchannel: (token, provider = 'corp') =>
      worker.ask({
        path: `/auth/oidc/${provider}/backchannel-logout`,
        headers: [],
        form: token === undefined ? { other: 'x' } : { logout_token: token },
      }),
    async audit(event) {
      const { entries } = await world.stores.audit.list('', 1000)
      return entries.filter((entry) => entry.event === event).map(({ facts }) => facts)
    },
  }
}

function browserOf(worker: WorkerWorld): FakeBrowser {
  const cookies = new Map<string, string>()
  const ask = async (request: RequestParts): Promise<Answer> => {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const answer = await worker.ask({ ...request, ...(cookie === '' ? {} : { cookie }) })
    for (const line of answer.headers.all('set-cookie')) {
      const [name, value] = pairOf(line).split('=', 2)
      if (value === '') cookies.delete(name)
      else cookies.set(name, value)
    }
    return answer
  }
  return {
    cookies,
    go: (path) => ask({ path, headers: navigation }),
    post: (path, form, accept = 'text/html') =>
      ask({ path, form, headers: ['Sec-Fetch-Site', 'same-origin', 'Origin', issuer, 'Accept', accept] }),
  }
}

function logInto(lines: { level: string; message: string; fields: LogFields | undefined }[]): Log {
  const at = (level: string) => (message: string, fields?: LogFields) => void lines.push({ level, message, fields })
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}
