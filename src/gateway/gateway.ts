import type { Descriptors } from '../bridges/descriptors/descriptors.ts'
import type { GatewayModel, ServiceModel } from '../config/model.ts'
import type { Clock } from '../core/clock.ts'
import type { Hub } from '../core/link.ts'
import type { Log } from '../core/log.ts'
import type { Meter } from '../core/meter.ts'
import type { ApiKeyAdmin } from '../identity/api-key-admin.ts'
import type { IdentityAdmin } from '../identity/identity-admin.ts'
import type { UserAdmin } from '../identity/login/user-admin.ts'
import type { InspectedToken } from '../identity/token-inspection.ts'
import type { LimitKeys } from '../limits/key-board.ts'
import type { LimitSpec } from '../limits/limit-spec.ts'
import type { LimitLevelNow } from './limit-levels.ts'
import type { NameStatus } from '../services/node-names.ts'
import type { PenaltyBox } from '../limits/penalty-box.ts'
import type { NodeTargets } from '../services/node-targets.ts'
import type { ServiceSpec, TargetSpec } from '../services/service-spec.ts'
import type { TlsMaterial } from '../wire/tls/tls-spec.ts'
import type { CertificateStatus } from './certificate-status.ts'
import type { ExplainQuestion, Explanation } from './explanation.ts'
import type { NodeCache } from './node-cache.ts'
import type { Family } from './meter-totals.ts'
import type { RequestDesk } from './request-desk.ts'
import type { RouteRow } from './route-rows.ts'
import type { DrainTimes } from './supervisor.ts'
import type { WorkerState } from './worker-handle.ts'
import { Node } from './node.ts'

export interface GatewayOptions {
  readonly model: GatewayModel
  readonly workers: number | 'auto'
  /** The module that a worker thread runs. */
  readonly entry: URL
  readonly clock: Clock
  readonly log: Log
}

/** How a gateway comes to its end. */
export interface StopTimes extends DrainTimes {
  /** How long to go on serving while not ready, so that load balancers notice. */
  readonly delayMs: number
}

/** A Generation as the admin surface shows it. */
export interface GenerationStatus {
  /** Counts the commits of this process, from 1. */
  readonly number: number
  readonly hash: string
  /** Milliseconds since 1970. */
  readonly committedAt: number
}

/** A running node: main with its workers, without the admin surface. */
export interface Gateway {
  /** The configuration being served, with resolved ports. */
  readonly model: GatewayModel
  /** The configuration that was served before this one; undefined since the start. */
  readonly modelBefore: GatewayModel | undefined
  readonly generation: GenerationStatus
  readonly routes: readonly RouteRow[]
  readonly workers: readonly { readonly number: number; readonly state: WorkerState; readonly utilization: number }[]
  /** Whether new requests should be sent here. */
  readonly isReady: boolean
  readonly devAuthorityPath: string | undefined
  /** Every certificate that is served or waited for, those of the admin server included. */
  certificates(): readonly CertificateStatus[]
  /** What the admin server is to serve with; undefined where it speaks plain HTTP. `changed` hears of what comes later. */
  adminTls(changed: (material: TlsMaterial) => void): TlsMaterial | undefined
  readonly meter: Meter
  readonly hub: Hub
  /** Whether every worker has acted on what main told until now; false when one has not within the time. */
  heard(withinMs: number): Promise<boolean>
  /** All metrics of the node as they stand now. */
  families(): Family[]
  /** The busiest and the refused keys of a limit. */
  limitKeys(limit: string): LimitKeys
  /** How the budget of a key stands now; charges nothing, makes nothing. Rejects with a Fault when nobody can tell. */
  limitLevel(spec: LimitSpec, key: string): Promise<LimitLevelNow>
  /** Who is in the penalty box, and how to put them there and let them out. */
  readonly penalties: Pick<PenaltyBox, 'list' | 'add' | 'lift'>
  /** What the shared cache holds, and how to take things out of it. */
  readonly cache: Pick<NodeCache, 'state' | 'purge'>
  /** How services and their targets (by `host:port`) stand, and targets taken out by hand. */
  readonly standings: Pick<NodeTargets, 'status' | 'breaker' | 'drain'>
  /** A service's targets at the addresses that its names lead to at the moment. */
  targets(service: ServiceSpec): readonly TargetSpec[]
  /** What is known of the methods of a service of gRPC; undefined: nothing, or nothing yet. */
  descriptors(service: ServiceModel): Descriptors | undefined
  /** What is known of the names of a service. */
  names(service: ServiceSpec): readonly NameStatus[]
  /** Sessions, revocations and the audit log; undefined while the configuration names no issuer. */
  readonly identity: IdentityAdmin | undefined
  /** API keys; undefined while the configuration names no issuer. */
  readonly apiKeys: ApiKeyAdmin | undefined
  /** People who log in by password; undefined while the configuration names no issuer. */
  readonly users: UserAdmin | undefined
  /** The latest requests with what was decided about them. */
  readonly requests: Pick<RequestDesk, 'list' | 'find' | 'watch' | 'sign'>
  /** Says what would be decided about a request; charges nothing, sends nothing. Rejects with a QuestionError. */
  explain(question: ExplainQuestion): Promise<Explanation>
  /** Says what a token is and whether it would be accepted; see `inspectToken`. */
  inspectToken(text: string): Promise<InspectedToken>
  /** Tells commands, by the store's lock file, where the admin API answers. */
  announceAdmin(url: string): void
  /** Makes a new signing key, which takes over once everybody can have read it. Gives its id. */
  rotateKeys(): Promise<string>
  /**
   * Serves this instead, or what is made of what is served when its turn has come. Rejects, with nothing changed, when any
   * part of it fails.
   */
  replace(model: GatewayModel | ((current: GatewayModel) => GatewayModel)): Promise<void>
  /** Not ready any more; after `delayMs` accepts no more, drains, and ends. */
  stop(times: StopTimes): Promise<void>
  /** Ends all connections now; a `stop` under way comes to its end. */
  cut(): Promise<void>
}

/** Starts a node. Rejects, leaving nothing behind: with an `EnvironmentFault` when the machine is at fault. */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const node = new Node(options)
  await node.start()
  return node
}
