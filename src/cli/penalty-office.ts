import type { PenaltyDocument } from '../admin/penalty-endpoints.ts'
import { penaltyDocument } from '../admin/penalty-endpoints.ts'
import type { GatewayModel } from '../config/model.ts'
import { systemClock } from '../core/clock.ts'
import { EnvironmentFault } from '../core/environment-fault.ts'
import type { Log } from '../core/log.ts'
import { MainHub } from '../gateway/link.ts'
import { openNodeStore } from '../gateway/node-store.ts'
import { durationText } from '../lib/duration.ts'
import { boxedAnnouncement, liftedAnnouncement, readPenalties } from '../limits/penalty-bus.ts'
import type { PenaltyOrder } from '../limits/penalty-order.ts'
import { penaltyOf } from '../limits/penalty-order.ts'
import type { Penalty } from '../limits/penalty-spec.ts'
import { findGateway } from '../stores/sqlite/gateway-lock.ts'
import { adminCaller } from './admin-call.ts'
import type { Io } from './command.ts'
import { asFaults } from './store-faults.ts'

/**
 * The penalty box as commands use it: through the admin API of the gateway that holds the store, else in the store
 * itself. Every verb rejects with an `EnvironmentFault` when store or gateway are at fault, else with a message for the user.
 */
export interface PenaltyOffice {
  list(): Promise<readonly PenaltyDocument[]>
  add(order: PenaltyOrder): Promise<PenaltyDocument>
  lift(id: string): Promise<PenaltyDocument>
  close(): Promise<void>
}

/** See `PenaltyOffice`. Rejects with a message when the configuration has no penalties. */
export async function openPenaltyOffice(model: GatewayModel, io: Io): Promise<PenaltyOffice> {
  const { store, penalties = [] } = model
  if (penalties.length === 0) {
    throw new Error("the configuration has no penalties: add one, such as penalties: { banned: { for: '1d' } }")
  }
  const holder = store.kind === 'embedded' ? findGateway(store.path) : undefined
  if (store.kind !== 'embedded' || holder === undefined) return openDirectly(model, io)
  if (holder.admin === undefined) {
    throw new EnvironmentFault(
      `${JSON.stringify(holder.name)} (process ${holder.pid}) holds the store and has no admin API: give its configuration an admin port, or stop it first`,
    )
  }
  const call = adminCaller(holder.admin, model, io.env)
  return {
    list: async () => (await call<{ penalties: readonly PenaltyDocument[] }>('GET', '/api/penalties')).penalties,
    add: ({ penalty, who, reason, forMs }) =>
      call('PUT', '/api/penalties', { penalty, who, reason, for: forMs === undefined ? undefined : durationText(forMs) }),
    lift: (id) => call('DELETE', `/api/penalties/${encodeURIComponent(id)}`),
    async close() {},
  }
}

async function openDirectly(model: GatewayModel, io: Io): Promise<PenaltyOffice> {
  const clock = systemClock
  const log = stderrLog(io)
  const hub = new MainHub((topic, error) => log.error(`a message on ${topic} could not be handled`, { error }))
  const store = await openNodeStore({ ...model, name: 'a velum command' }, hub, clock, log)
  const { stores } = store
  const audit = async (event: string, { id, penalty, who, reason, until }: Penalty): Promise<void> => {
    await stores.audit.append({ at: clock.now(), event, facts: { id, penalty, who, reason, until } })
  }
  return {
    list: () => asFaults(async () => (await readPenalties(stores)).all(clock.now()).map(penaltyDocument)),
    add: (order) =>
      asFaults(async () => {
        const penalty = penaltyOf(order, model.penalties ?? [], clock.now(), model.identity.own?.issuer)
        await stores.bus.append(boxedAnnouncement(penalty))
        await audit('penalty-added', penalty)
        return penaltyDocument(penalty)
      }),
    lift: (id) =>
      asFaults(async () => {
        const penalty = (await readPenalties(stores)).get(id, clock.now())
        if (penalty === undefined) throw new Error('nobody is boxed under this id')
        await stores.bus.append(liftedAnnouncement(penalty))
        await audit('penalty-lifted', penalty)
        return penaltyDocument(penalty)
      }),
    close: () => store.close(),
  }
}

function stderrLog(io: Io): Log {
  const line = (message: string): void => io.err(`velum: ${message}\n`)
  return { debug() {}, info() {}, warn: line, error: line }
}
