import type * as client from 'openid-client'
import type { Clock } from '../../core/clock.ts'
import type { Log } from '../../core/log.ts'
import type { Meter } from '../../core/meter.ts'
import { isLoopbackHost } from '../../lib/loopback.ts'
import type { ProviderEndpoints, ProviderSpec } from '../identity-spec.ts'
import { KeptKeys } from '../kept-keys.ts'
import { keyOrigin } from '../key-origins.ts'
import { wordsOf } from './provider-faults.ts'
import { isFetchable, providerFetch, ProviderUnreachable } from './provider-fetch.ts'
import type { Fetch } from './provider-fetch.ts'

/** How long metadata is used before it is looked at anew, in the background; for longer while that fails. */
const freshMs = 3_600_000
/** Between the starts of two attempts, doubled with each that failed. */
const cooldownMs = 2000
const longestCooldownMs = 30_000
/** A login that fails for an unknown key may be tried again; the keys of one that just rotated are there then. */
const keyCooldownMs = 5000
const algorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519']
const needed = ['authorization_endpoint', 'token_endpoint', 'jwks_uri'] as const

type OpenidClient = typeof client

export interface ProviderEnv {
  readonly clock: Clock
  readonly log: Log
  readonly meter: Meter
  readonly fetch: Fetch
}

/** What is known of a provider at the moment. */
export interface KnownProvider {
  readonly library: OpenidClient
  readonly configuration: client.Configuration
  readonly metadata: client.ServerMetadata
  readonly keys: KeptKeys
}

interface Discovered {
  readonly metadata: client.ServerMetadata
  readonly keys: KeptKeys
  readonly at: number
}

/**
 * One provider, as main knows it. Its metadata is discovered with the first login, once however many wait for it; while it
 * cannot be had anew, what was known last stays in use. Nothing here ever ends a session.
 */
export class Provider {
  readonly spec: ProviderSpec
  readonly #env: ProviderEnv
  readonly #fetch: Fetch
  #discovered: Discovered | undefined
  #discovering: Promise<Discovered> | undefined
  #failures = 0
  #coolUntil = -Infinity
  #version = 0
  #isClosed = false

  constructor(spec: ProviderSpec, env: ProviderEnv) {
    this.spec = spec
    this.#env = env
    this.#fetch = providerFetch(env.fetch, env.clock, spec.issuer)
  }

  /** Rejects with `ProviderUnreachable` while nothing is known. */
  async known(): Promise<KnownProvider> {
    const library = await import('openid-client')
    const { metadata, keys } = await this.#current(library)
    const { clientId, clientSecret, skewMs } = this.spec
    const { clock } = this.#env
    const configuration = new library.Configuration(
      metadata,
      clientId,
      {
        // The library has a clock of its own.
        [library.clockSkew]: Math.round((clock.now() - Date.now()) / 1000),
        [library.clockTolerance]: Math.ceil(skewMs / 1000),
      },
      clientSecret === undefined ? library.None() : secretBy(library, metadata, clientSecret),
    )
    configuration[library.customFetch] = this.#fetch as client.CustomFetch
    if (mayBePlain(this.spec)) library.allowInsecureRequests(configuration)
    return { library, configuration, metadata, keys }
  }

  close(): void {
    this.#isClosed = true
    this.#discovered?.keys.close()
  }

  async #current(library: OpenidClient): Promise<Discovered> {
    const { clock } = this.#env
    const known = this.#discovered
    const { endpoints } = this.spec
    if (endpoints !== undefined) return known ?? this.#use(metadataOf(this.spec, endpoints))
    if (known !== undefined && clock.monotonic() - known.at < freshMs) return known
    if (this.#discovering === undefined) {
      if (clock.monotonic() < this.#coolUntil) {
        if (known !== undefined) return known
        throw new ProviderUnreachable('the provider could not be reached a moment ago')
      }
      this.#coolUntil = clock.monotonic() + Math.min(longestCooldownMs, cooldownMs * 2 ** Math.min(this.#failures, 10))
      this.#discovering = this.#discover(library).finally(() => {
        this.#discovering = undefined
      })
      // Whoever does not wait for it need not hear of its failure; it is logged.
      this.#discovering.catch(() => undefined)
    }
    return known ?? this.#discovering
  }

  async #discover(library: OpenidClient): Promise<Discovered> {
    const { name, issuer, clientId } = this.spec
    const { log, meter } = this.#env
    const counted = (result: string): void =>
      meter
        .counter('velum_provider_discoveries_total', 'Attempts to read the metadata of a provider.', { provider: name, result })
        .add()
    try {
      const execute = mayBePlain(this.spec) ? [library.allowInsecureRequests] : []
      const found = await library.discovery(new URL(issuer), clientId, undefined, library.None(), {
        [library.customFetch]: this.#fetch as client.CustomFetch,
        execute,
      })
      const metadata = found.serverMetadata()
      checkMetadata(metadata, this.spec)
      if (this.#failures > 0) log.info('the metadata of a provider can be had again', { provider: name })
      this.#failures = 0
      counted('ok')
      return this.#use(metadata)
    } catch (thrown) {
      this.#failures++
      counted('failed')
      log.warn('the metadata of a provider cannot be had', { provider: name, issuer, error: wordsOf(thrown) })
      throw new ProviderUnreachable(`the metadata of ${issuer} cannot be had`, { cause: thrown })
    }
  }

  #use(metadata: client.ServerMetadata): Discovered {
    const before = this.#discovered
    const isSameSource = before?.metadata.jwks_uri === metadata.jwks_uri
    if (!isSameSource) before?.keys.close()
    const keys = isSameSource && before !== undefined ? before.keys : this.#keep(metadata.jwks_uri!)
    if (this.#isClosed) keys.close()
    return (this.#discovered = { metadata, keys, at: this.#env.clock.monotonic() })
  }

  #keep(jwksUri: string): KeptKeys {
    const { name, issuer } = this.spec
    const { clock, log, meter, fetch } = this.#env
    const loads = (result: string): ReturnType<Meter['counter']> =>
      meter.counter('velum_jwks_loads_total', 'Attempts to load the keys of a trusted issuer.', { issuer: name, result })
    const origin = keyOrigin({ name, jwksUri, jwksFile: undefined, algorithms }, fetch, clock)
    return new KeptKeys(
      `provider ${issuer}`,
      { ...origin, cooldownMs: keyCooldownMs },
      {
        clock,
        log,
        nextVersion: () => ++this.#version,
        changed: () => undefined,
        loaded: loads('ok'),
        failed: loads('failed'),
      },
    )
  }
}

function mayBePlain({ issuer }: ProviderSpec): boolean {
  return issuer.startsWith('http:') && isLoopbackHost(new URL(issuer).hostname)
}

/** What metadata would say of a provider whose endpoints stand in the configuration. */
function metadataOf({ issuer }: ProviderSpec, endpoints: ProviderEndpoints): client.ServerMetadata {
  return {
    issuer,
    authorization_endpoint: endpoints.authorization,
    token_endpoint: endpoints.token,
    jwks_uri: endpoints.jwks,
    ...(endpoints.endSession === undefined ? {} : { end_session_endpoint: endpoints.endSession }),
    id_token_signing_alg_values_supported: algorithms,
  }
}

/** The issuer is exactly the configured one, and everything that is asked or sent to is where it may be. */
function checkMetadata(metadata: client.ServerMetadata, spec: ProviderSpec): void {
  if (metadata.issuer !== spec.issuer) throw new Error(`the metadata is of ${metadata.issuer}`)
  for (const name of needed) if (typeof metadata[name] !== 'string') throw new Error(`the metadata has no ${name}`)
  for (const name of [...needed, 'end_session_endpoint'] as const) {
    const text: unknown = metadata[name]
    if (text === undefined) continue
    const url = typeof text === 'string' ? URL.parse(text) : null
    if (url === null || !isFetchable(url, mayBePlain(spec))) throw new Error(`the ${name} is no https address`)
  }
}

function secretBy(library: OpenidClient, metadata: client.ServerMetadata, secret: string): client.ClientAuth {
  const methods: unknown = metadata.token_endpoint_auth_methods_supported ?? ['client_secret_basic']
  const isBasic = !Array.isArray(methods) || methods.includes('client_secret_basic')
  return isBasic ? library.ClientSecretBasic(secret) : library.ClientSecretPost(secret)
}
