import type { VNode } from 'preact'
import { useState } from 'preact/hooks'
import { call } from '../api.ts'
import type { KeyCount, Limit, LimitKeys, Shadow } from '../documents.ts'
import { confirmThen } from '../parts/confirm.tsx'
import { Badge, Panel, ViewHead, Waiting } from '../parts/panel.tsx'
import { Table } from '../parts/table.tsx'
import { usePolled } from '../parts/use-polled.ts'
import { agoText, countText, rateText, spanText } from '../words.ts'

const mostKeys = 25

/** Limits with what they decided; of one of them the busiest and the refused keys. */
export function LimitsView(): VNode {
  const { value, error, again } = usePolled<{ limits: readonly Limit[] }>('/api/limits', 3000)
  const switched = usePolled<{ shadows: readonly Shadow[] }>('/api/shadows', 3000)
  const done = (): void => {
    again()
    switched.again()
  }
  const [chosen, choose] = useState('')
  const name = value?.limits.some((limit) => limit.name === chosen) === true ? chosen : (value?.limits[0]?.name ?? '')
  return (
    <>
      <ViewHead title="Limits" text="What they decided since the start, and whose budgets are busiest" />
      <Waiting error={error} of={value} />
      {value !== undefined && (
        <Panel isFlush>
          <Table
            label="Limits"
            columns={[
              { title: 'Limit', cell: (limit) => limit.name },
              { title: 'Form', cell: ({ algorithm }) => <span class="tight">{algorithm}</span> },
              { title: 'Grants', isWide: true, cell: settingsOf },
              { title: 'Per', cell: ({ per }) => <span class="tight">{per.join(' + ') || 'all together'}</span> },
              { title: 'Decisions', isNumber: true, cell: (limit) => <Decisions limit={limit} /> },
              {
                title: 'Shadow',
                cell: (limit) => <ShadowButton limit={limit} shadows={switched.value?.shadows ?? []} done={done} />,
              },
            ]}
            rows={value.limits}
            keyOf={(limit) => limit.name}
            empty="The configuration has no limits."
            opened={name}
            open={(key) => choose(key === '' ? name : key)}
          />
        </Panel>
      )}
      {name !== '' && <Keys key={name} name={name} />}
    </>
  )
}

/** Switches a limit into shadow or out of it for an hour; or back, where it was switched. */
function ShadowButton(props: { readonly limit: Limit; readonly shadows: readonly Shadow[]; readonly done: () => void }): VNode {
  const { limit, shadows, done } = props
  const mine = shadows.filter((one) => one.limit === limit.name)
  const current = mine.find(({ route }) => route === undefined)
  const isOn = current === undefined
  const wanted = !limit.shadow
  const ask = (): void =>
    confirmThen({
      title: isOn ? `${wanted ? 'Put' : 'Take'} ${limit.name} ${wanted ? 'into' : 'out of'} shadow?` : `Switch ${limit.name} back?`,
      text: isOn
        ? `For an hour, or until the configuration changes, ${limit.name} ${
            wanted ? 'counts and reports but refuses nobody' : 'refuses whoever is over it'
          }, wherever it is named. All workers of this node follow at once.`
        : `${limit.name} is again what the configuration says.`,
      verb: isOn ? 'Switch' : 'Switch back',
      isDangerous: isOn && wanted,
      async run() {
        if (current === undefined) await call('POST', '/api/shadows', { limit: limit.name, shadow: wanted })
        else await call('DELETE', `/api/shadows/${encodeURIComponent(current.id)}`)
        done()
        return isOn
          ? `${limit.name} ${wanted ? 'is in shadow' : 'counts in earnest'} for an hour.`
          : `${limit.name} is switched back.`
      },
    })
  return (
    <>
      {mine.map((one) => (
        <span key={one.id} class="stack warn tight">
          by hand{one.route === undefined ? '' : ` on ${one.route}`}: {one.shadow ? 'on' : 'off'}, ends {agoText(one.until)}
        </span>
      ))}
      <button type="button" class="small" onClick={ask}>
        {isOn ? (wanted ? 'Turn on' : 'Turn off') : 'Switch back'}
      </button>
    </>
  )
}

function Decisions({ limit }: { readonly limit: Limit }): VNode {
  const words = Object.entries(limit.decisions).filter(([, count]) => count > 0)
  if (words.length === 0) return <span class="muted">none yet</span>
  return (
    <>
      {words.map(([decision, count]) => (
        <span key={decision} class={/refus|would|fail/.test(decision) ? 'warn stack' : 'stack'}>
          {decision} {countText(count)}
        </span>
      ))}
    </>
  )
}

/** What a limit grants, in words. */
function settingsOf(limit: Limit): string {
  const { algorithm, capacity = 0, refill, leak, limit: most = 0, windowMs = 0, period = '' } = limit
  const rate = refill ?? leak
  const words: string[] = []
  if (rate !== undefined) words.push(`${countText(rate.units)} every ${spanText(rate.periodMs)}, ${countText(capacity)} at once`)
  else if (algorithm === 'concurrency') words.push(`${countText(most)} at a time`)
  else if (algorithm === 'quota') words.push(`${countText(most)} a ${period}`)
  else words.push(`${countText(most)} in ${spanText(windowMs)}`)
  if (limit.shadow) words.push('shadow: refuses nobody')
  if (limit.onStoreFailure !== 'local') words.push(`${limit.onStoreFailure} when the store is down`)
  return words.join(' · ')
}

function Keys({ name }: { readonly name: string }): VNode {
  const { value, error } = usePolled<LimitKeys>(`/api/limits/${encodeURIComponent(name)}/keys`, 2000)
  return (
    <>
      <Waiting error={error} of={value} />
      {value !== undefined && (
        <div class="columns">
          <KeyList title={`Busiest keys of ${name}`} keys={value.busiest} tone="plain" empty="Nobody uses this limit now." />
          <KeyList title={`Refused keys of ${name}`} keys={value.refused} tone="bad" empty="Nobody is refused now." />
        </div>
      )}
    </>
  )
}

function KeyList(props: {
  readonly title: string
  readonly keys: readonly KeyCount[]
  readonly tone: 'plain' | 'bad'
  readonly empty: string
}): VNode {
  const most = Math.max(...props.keys.map(({ count }) => count), 0)
  return (
    <Panel title={props.title} isFlush aside={<span class="muted">charges per second</span>}>
      <Table
        label={props.title}
        columns={[
          { title: 'Key', cell: ({ key }) => <code>{key}</code> },
          {
            title: '',
            isWide: true,
            cell: ({ count }) => (
              <span class="bar" aria-hidden="true">
                <i style={{ width: `${most === 0 ? 0 : (count / most) * 100}%` }} />
              </span>
            ),
          },
          { title: 'Rate', isNumber: true, cell: ({ count }) => <Badge tone={props.tone}>{rateText(count)}</Badge> },
        ]}
        rows={props.keys.slice(0, mostKeys)}
        keyOf={({ key }) => key}
        empty={props.empty}
      />
    </Panel>
  )
}
