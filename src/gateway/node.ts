import { availableParallelism } from 'node:os'
import { defaultDns } from '../config/check-dns.ts'
import type { Descriptors } from '../bridges/descriptors/descriptors.ts'
import type { GatewayModel, ServiceModel } from '../config/model.ts'
import { defaultCacheBytes } from '../cache/cache-memory.ts'
import type { Closable } from '../core/lasting.ts'
import type { Hub } from '../core/link.ts'
import type { Meter } from '../core/meter.ts'
import { attachIdentityToHub } from '../identity/identity-hub.ts'
import type { ApiKeyAdmin } from '../identity/api-key-admin.ts'
import type { IdentityAdmin } from '../identity/identity-admin.ts'
import type { IdentityHub } from '../identity/identity-hub.ts'
import { attachLoginToHub } from '../identity/login/login-hub.ts'
import type { LoginHub } from '../identity/login/login-hub.ts'
import type { UserAdmin } from '../identity/login/user-admin.ts'
import { inspectToken } from '../identity/token-inspection.ts'
import type { InspectedToken } from '../identity/token-inspection.ts'
import type { LimitKeys } from '../limits/key-board.ts'
import type { LimitSpec } from '../limits/limit-spec.ts'
import { NodeNames } from '../services/node-names.ts'
import type { NameStatus } from '../services/node-names.ts'
import { PenaltyBox } from '../limits/penalty-box.ts'
import { NodeTargets } from '../services/node-targets.ts'
import type { ServiceSpec, TargetSpec } from '../services/service-spec.ts'
import type { TlsMaterial } from '../wire/tls/tls-spec.ts'
import { AccessSink } from './access-sink.ts'
import type { CertificateStatus } from './certificate-status.ts'
import { EnvironmentFault } from './environment-fault.ts'
import { ExplainDesk } from './explain-link.ts'
import { completeExplanation } from './explain-services.ts'
import type { ExplainQuestion, Explanation } from './explanation.ts'
import { knownCaller } from './known-caller.ts'
import { LimitLevels } from './limit-levels.ts'
import type { LimitLevelNow } from './limit-levels.ts'
import { MainHub } from './link.ts'
import { needsStore, openNodeStore } from './node-store.ts'
import type { NodeStore } from './node-store.ts'
import { NodeCache } from './node-cache.ts'
import { addressFilesOf, NodeAddressFiles } from './node-address-files.ts'
import { NodeDescriptors } from './node-descriptors.ts'
import { NodeLimits } from './node-limits.ts'
import { NodeTls } from './node-tls.ts'
import { NodeTraces } from './node-traces.ts'
import { metricsBytes, RowMeter } from './meter-row.ts'
import type { Family } from './meter-totals.ts'
import { MeterTotals } from './meter-totals.ts'
import { RequestDesk } from './request-desk.ts'
import { createResourceGauges } from './resource-gauges.ts'
import { passKeys } from './explain-pass.ts'
import { hasReusePort, resolvePorts } from './ports.ts'
import { nodeFamilies } from './node-families.ts'
import { processFamilies } from './process-families.ts'
import type { RouteRow } from './route-rows.ts'
import { storeFolder } from './store-folder.ts'
import { Supervisor, workerNumbers } from './supervisor.ts'
import type { Gateway, GatewayOptions, GenerationStatus, StopTimes } from './gateway.ts'

/** One node: main's parts, the workers, and the configuration that they serve. */
export class Node implements Gateway {
  readonly #options: GatewayOptions
  readonly #totals = new MeterTotals()
  readonly #hub: MainHub
  readonly #meter: Meter
  readonly #limits: NodeLimits
  readonly #levels: LimitLevels
  readonly penalties: PenaltyBox
  readonly cache: NodeCache
  readonly #sink: AccessSink
  readonly #traces: NodeTraces
  readonly #supervisor: Supervisor
  readonly #tls: NodeTls
  readonly #identity: IdentityHub
  readonly #login: LoginHub
  readonly #targets: NodeTargets
  readonly #descriptors: NodeDescriptors
  readonly #addressFiles: NodeAddressFiles
  readonly #names: NodeNames
  readonly #explainDesk: ExplainDesk
  readonly requests: RequestDesk
  /** Open from the first configuration on that needs it. */
  #store: NodeStore | undefined
  readonly #resources: Closable
  readonly #startedAt: number
  readonly #count: number
  #adminUrl: string | undefined
  #model: GatewayModel | undefined
  #modelBefore: GatewayModel | undefined
  #generation: GenerationStatus = { number: 0, hash: '', committedAt: 0 }
  #routes: readonly RouteRow[] = []
  #isStopping = false
  #tail: Promise<unknown> = Promise.resolve()

  constructor(options: GatewayOptions) {
    const { clock, log, entry, model } = options
    const reusePort = hasReusePort()
    const wanted = options.workers === 'auto' ? availableParallelism() : options.workers
    if (wanted > 1 && !reusePort) log.warn('this platform cannot share ports between threads: one worker serves', { wanted })
    this.#count = reusePort ? wanted : 1
    const numbers = workerNumbers(this.#count)
    this.#options = options
    this.#startedAt = clock.now()
    this.#hub = new MainHub((topic, error) => log.error('a message of a worker could not be handled', { topic, error }))
    const serving = (): Gateway['workers'] => this.workers.filter(({ state }) => state === 'serving' || state === 'faulty')
    this.#explainDesk = new ExplainDesk(this.#hub, clock, () => serving()[0]?.number)
    this.requests = new RequestDesk(this.#hub, { clock, workers: () => serving().length, keys: passKeys(model.secrets) })
    const row = new Float64Array(4096)
    const meter = new RowMeter(row, (entries) => this.#totals.announce(-1, row, entries))
    this.#meter = meter
    this.#resources = createResourceGauges({ meter, clock, thread: 'main' })
    this.#limits = new NodeLimits({
      workers: numbers,
      folder: storeFolder(model),
      specs: () => (this.#model ?? model).limits,
      hub: this.#hub,
      clock,
      log,
      meter,
    })
    this.#levels = new LimitLevels({
      memory: this.#limits.memory,
      workers: numbers,
      clock,
      log,
      model: () => this.model,
      direct: () => this.#store?.direct,
    })
    this.cache = new NodeCache({
      maxBytes: model.cacheBytes ?? defaultCacheBytes,
      workers: numbers,
      hub: this.#hub,
      clock,
      log,
      meter,
      store: () => this.#store,
    })
    const shared = {
      limits: this.#limits.memory,
      edges: this.#limits.edges,
      rests: this.#limits.rests,
      cache: this.cache.memory,
      metrics: new SharedArrayBuffer(metricsBytes(numbers)),
    }
    this.#sink = new AccessSink(clock, log, meter)
    this.#traces = new NodeTraces(this.#hub, { clock, log, meter })
    this.#supervisor = new Supervisor({
      workers: this.#count,
      entry,
      shared,
      reusePort,
      clock,
      log,
      meter,
      totals: this.#totals,
      hub: this.#hub,
      lines: (bytes, settled) => this.#sink.write(bytes, settled),
      gone: (worker) => {
        this.#limits.release(worker)
        this.cache.release(worker)
      },
    })
    this.#tls = new NodeTls({
      hub: this.#hub,
      clock,
      log,
      meter,
      store: () => this.#store,
      secrets: model.secrets,
      revised: (change) => this.#supervisor.revise(change),
    })
    this.#identity = attachIdentityToHub(this.#hub, { clock, log, meter, store: () => this.#store })
    this.#targets = new NodeTargets(this.#hub, { clock, log, meter })
    this.#descriptors = new NodeDescriptors(this.#hub, clock, log)
    this.#addressFiles = new NodeAddressFiles(this.#hub, clock, log)
    this.#names = new NodeNames(this.#hub, { clock, log, meter, changed: () => this.#locateTargets() })
    this.penalties = new PenaltyBox(this.#hub, { clock, log, meter, store: () => this.#store })
    this.#login = attachLoginToHub(this.#hub, { clock, log, meter, store: () => this.#store })
  }

  get model(): GatewayModel {
    return this.#model!
  }

  get modelBefore(): GatewayModel | undefined {
    return this.#modelBefore
  }

  get generation(): GenerationStatus {
    return this.#generation
  }

  get routes(): readonly RouteRow[] {
    return this.#routes
  }

  get workers(): Gateway['workers'] {
    return this.#supervisor.workers
  }

  get isReady(): boolean {
    return !this.#isStopping && this.workers.some(({ state }) => state === 'serving' || state === 'faulty')
  }

  get devAuthorityPath(): string | undefined {
    return this.#tls.devAuthorityPath
  }

  certificates(): readonly CertificateStatus[] {
    return this.#tls.statuses()
  }

  adminTls(changed: (material: TlsMaterial) => void): TlsMaterial | undefined {
    return this.#tls.admin(changed)
  }

  get meter(): Meter {
    return this.#meter
  }

  get identity(): IdentityAdmin | undefined {
    return this.#identity.admin
  }

  get apiKeys(): ApiKeyAdmin | undefined {
    return this.#identity.apiKeys
  }

  get users(): UserAdmin | undefined {
    return this.#login.users
  }

  async explain(question: ExplainQuestion): Promise<Explanation> {
    const known = await knownCaller(question, this.users)
    const told = completeExplanation(await this.#explainDesk.ask(known.question), question, this.model, this)
    return { ...told, notes: [...known.notes, ...told.notes] }
  }

  inspectToken(text: string): Promise<InspectedToken> {
    if (this.#store === undefined) return Promise.reject(new Error('there is no store'))
    return inspectToken(text, { identity: this.model.identity, stores: this.#store.stores, clock: this.#options.clock })
  }

  announceAdmin(url: string): void {
    this.#store?.setAdmin(url)
    this.#adminUrl = url
  }

  rotateKeys(): Promise<string> {
    return this.#identity.rotateKeys()
  }

  get hub(): Hub {
    return this.#hub
  }

  heard(withinMs: number): Promise<boolean> {
    return this.#supervisor.heard(withinMs)
  }

  families(): Family[] {
    const own = nodeFamilies(this.workers, this.#generation)
    const all = [
      ...this.#traces.exemplars.put(this.#totals.families()),
      ...own,
      ...this.#tls.families(),
      ...processFamilies(this.#startedAt, this.#options.model.name),
    ]
    return all.sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  limitKeys(limit: string): LimitKeys {
    return this.#limits.keys(limit)
  }

  limitLevel(spec: LimitSpec, key: string): Promise<LimitLevelNow> {
    return this.#levels.level(spec, key)
  }

  get standings(): NodeTargets {
    return this.#targets
  }

  targets(service: ServiceSpec): readonly TargetSpec[] {
    return this.#names.resolved([service])[0].targets
  }

  descriptors(service: ServiceModel): Descriptors | undefined {
    return this.#descriptors.of(service)
  }

  names(service: ServiceSpec): readonly NameStatus[] {
    return this.#names.names(service)
  }

  async start(): Promise<void> {
    try {
      await this.#change(this.#options.model)
    } catch (thrown) {
      await this.#close()
      throw thrown
    }
  }

  replace(model: Parameters<Gateway['replace']>[0]): Promise<void> {
    const done = this.#tail.then(() => {
      if (this.#isStopping) throw new EnvironmentFault('the gateway is stopping')
      return this.#change(typeof model === 'function' ? model(this.model) : model)
    })
    this.#tail = done.catch(() => undefined)
    return done
  }

  async stop({ delayMs, ...times }: StopTimes): Promise<void> {
    if (this.#isStopping) return
    this.#isStopping = true
    if (delayMs > 0) await new Promise<void>((resolve) => void this.#options.clock.after(delayMs, resolve))
    await this.#tail
    await this.#supervisor.drain(times)
    await this.#close()
  }

  cut(): Promise<void> {
    return this.#supervisor.close()
  }

  /** Everything that can fail, then the commit. Whatever was opened for a failed change is closed again. */
  async #change(wanted: GatewayModel): Promise<void> {
    const model = await resolvePorts(wanted, this.#model)
    const undo: (() => void)[] = []
    try {
      const sink = this.#sink.prepare(model.log)
      undo.push(() => sink.discard())
      const traces = await this.#traces.prepare(model.telemetry)
      await this.#openStore(model)
      const tls = await this.#tls.prepare(model)
      undo.push(() => tls.discard())
      undo.push(() => this.#identity.discard())
      await this.#identity.prepare(model)
      await this.#descriptors.prepare(model.services)
      await this.penalties.prepare(model.penalties ?? [])
      await this.cache.prepare()
      undo.push(() => this.#names.discard())
      await this.#names.prepare(model.dns ?? defaultDns, model.services)
      const order = { model, ...tls.order }
      this.#routes = await (this.#model === undefined ? this.#supervisor.start(order) : this.#supervisor.reload(order))
      tls.commit()
      sink.commit()
      traces.commit()
      this.#identity.commit()
      this.#login.commit(model.identity.own, model.identity.path)
      this.penalties.commit(model.penalties ?? [], model.identity.own?.issuer)
      this.#names.commit()
      this.#targets.commit(this.#names.resolved(model.services))
      this.#descriptors.commit(model.services)
      this.#addressFiles.commit(addressFilesOf(model))
    } catch (thrown) {
      for (const step of undo) step()
      throw thrown
    }
    this.#modelBefore = this.#model
    this.#model = model
    this.#generation = { number: this.#generation.number + 1, hash: model.hash, committedAt: this.#options.clock.now() }
  }

  /** A name leads elsewhere: other targets are probed and remembered. */
  #locateTargets(): void {
    if (this.#model !== undefined) this.#targets.commit(this.#names.resolved(this.#model.services))
  }

  /** Opens the store for the first configuration that needs one; it stays open, and the same, while the node lives. */
  async #openStore(model: GatewayModel): Promise<void> {
    if (this.#store !== undefined) {
      if (!this.#store.isOf(model)) throw new EnvironmentFault('the store cannot be replaced while the gateway runs: start it anew')
      return
    }
    if (!needsStore(model)) return
    const { clock, log } = this.#options
    this.#store = await openNodeStore(model, this.#hub, clock, log)
    if (this.#adminUrl !== undefined) this.#store.setAdmin(this.#adminUrl)
  }

  async #close(): Promise<void> {
    await this.#supervisor.close()
    await this.#traces.close()
    this.#resources.close()
    this.#limits.close()
    this.#levels.close()
    this.penalties.close()
    this.cache.close()
    this.#addressFiles.close()
    this.#names.close()
    this.#targets.close()
    this.#descriptors.close()
    this.#identity.close()
    await this.#login.close()
    this.#tls.close()
    await this.#sink.close()
    await this.#store?.close()
  }
}
