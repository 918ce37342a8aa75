import type { VNode } from 'preact'
import { call } from '../api.ts'
import type { BridgedService, Overview, Service, ServiceFlow, Target } from '../documents.ts'
import { confirmThen } from '../parts/confirm.tsx'
import { Methods } from '../parts/methods.tsx'
import { Badge, Panel, ViewHead, Waiting } from '../parts/panel.tsx'
import { Table } from '../parts/table.tsx'
import { usePolled } from '../parts/use-polled.ts'
import { amountText, countText, rateText, secondsText, spanText } from '../words.ts'

const states: Readonly<Record<Target['state'], readonly ['good' | 'warn' | 'bad', string]>> = {
  in: ['good', 'in service'],
  draining: ['warn', 'draining'],
  down: ['bad', 'down'],
  ejected: ['bad', 'left out'],
  open: ['bad', 'breaker open'],
  'half-open': ['warn', 'breaker half open'],
}

/** Services, their targets and how those stand. */
export function ServicesView(): VNode {
  const { value, error, again } = usePolled<{ services: readonly Service[] }>('/api/services', 2000)
  const bridges = usePolled<{ services: readonly BridgedService[] }>('/api/bridges', 15_000)
  const overview = usePolled<Overview>('/api/overview', 2000)
  return (
    <>
      <ViewHead title="Services" text="Targets, their health and their breakers" />
      <Waiting error={error} of={value} />
      {value?.services.map((service) => (
        <Panel
          key={service.name}
          isFlush
          title={service.name}
          aside={<Facts service={service} flow={overview.value?.services[service.name]} />}
        >
          <Table
            label={`Targets of ${service.name}`}
            columns={[
              { title: 'Target', isWide: true, cell: ({ address, url }) => <code title={url}>{address}</code> },
              {
                title: 'State',
                cell: ({ state, out }) => (
                  <>
                    <Badge tone={states[state][0]}>{states[state][1]}</Badge>
                    {out !== undefined && (
                      <span class="stack tight">
                        {out.reason}, for {spanText(out.forMs)}
                      </span>
                    )}
                  </>
                ),
              },
              { title: 'Weight', isNumber: true, cell: ({ weight }) => weight },
              { title: 'Under way', isNumber: true, cell: ({ calls }) => (calls === undefined ? '–' : countText(calls)) },
              { title: '', cell: (target) => <DrainButton service={service} target={target} done={again} /> },
            ]}
            rows={service.targets}
            keyOf={({ address }) => address}
            empty="No address is known for this service at the moment."
          />
          <Tries flow={overview.value?.services[service.name]} />
          <Methods of={bridges.value?.services.find((one) => one.service === service.name)} />
          {service.names.some(({ failure }) => failure !== undefined) && (
            <p class="error">
              {service.names.flatMap(({ name, failure }) => (failure === undefined ? [] : [`${name}: ${failure}`])).join('; ')}
            </p>
          )}
        </Panel>
      ))}
      {value?.services.length === 0 && <p class="notice muted">The configuration names no services.</p>}
    </>
  )
}

function Facts(props: { readonly service: Service; readonly flow: ServiceFlow | undefined }): VNode {
  const { service, flow } = props
  const retries = Object.values(service.retries).reduce((sum, count) => sum + count, 0)
  return (
    <>
      {service.breaker !== undefined && (
        <Badge tone={service.breaker.state === 'closed' ? 'good' : 'bad'}>breaker {service.breaker.state}</Badge>
      )}
      <span class="muted">
        {flow !== undefined && `${rateText(flow.rate)}/s`}
        {flow !== undefined && flow.failed > 0 && <b class="bad">, {rateText(flow.failed)}/s failed</b>} ·{' '}
        {amountText(service.connections, 'connection', 'connections')} · {service.balance}
        {retries > 0 && ` · ${amountText(retries, 'retry', 'retries')}`}
      </span>
    </>
  )
}

/** How tries end now, and how long they take until an answer's head. */
function Tries({ flow }: { readonly flow: ServiceFlow | undefined }): VNode | null {
  if (flow === undefined || flow.rate === 0) return null
  return (
    <p class="tries">
      {Object.entries(flow.outcomes).map(([outcome, rate]) => (
        <Badge key={outcome} tone={/^[123]xx$/.test(outcome) ? 'good' : outcome === '4xx' ? 'warn' : 'bad'}>
          {outcome} {rateText(rate)}/s
        </Badge>
      ))}
      <span class="muted">
        answers begin after {secondsText(flow.p50)} (half), {secondsText(flow.p90)} (p90), {secondsText(flow.p99)} (p99)
      </span>
    </p>
  )
}

function DrainButton(props: { readonly service: Service; readonly target: Target; readonly done: () => void }): VNode {
  const { service, target, done } = props
  const isDraining = target.state === 'draining'
  const path = `/api/services/${encodeURIComponent(service.name)}/targets/${encodeURIComponent(target.address)}/drain`
  const ask = (): void =>
    confirmThen({
      title: isDraining ? `Take ${target.address} back?` : `Drain ${target.address}?`,
      text: isDraining
        ? `New requests for ${service.name} go to it again.`
        : `Requests under way are finished, new ones for ${service.name} go to other targets. With no other target they are refused.`,
      verb: isDraining ? 'Take back' : 'Drain',
      isDangerous: !isDraining,
      async run() {
        await call(isDraining ? 'DELETE' : 'PUT', path)
        done()
        return isDraining ? `${target.address} is in service again.` : `${target.address} drains.`
      },
    })
  return (
    <button type="button" class="small" onClick={ask}>
      {isDraining ? 'Take back' : 'Drain'}
    </button>
  )
}
