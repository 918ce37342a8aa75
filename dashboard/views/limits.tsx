import type { VNode } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { call, get } from '../api.ts'
import type { KeyCount, Limit, LimitKeys, Level, Shadow } from '../documents.ts'
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
      {name !== '' && value !== undefined && (
        <Keys key={name} name={name} per={value.limits.find((one) => one.name === name)?.per ?? []} />
      )}
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

function Keys({ name, per }: { readonly name: string; readonly per: readonly string[] }): VNode {
  const { value, error } = usePolled<LimitKeys>(`/api/limits/${encodeURIComponent(name)}/keys`, 2000)
  return (
    <>
      <Waiting error={error} of={value} />
      <Asked name={name} per={per} />
      {value !== undefined && (
        <div class="columns">
          <KeyList
            name={name}
            title={`Busiest keys of ${name}`}
            keys={value.busiest}
            tone="plain"
            empty="Nobody uses this limit now."
          />
          <KeyList name={name} title={`Refused keys of ${name}`} keys={value.refused} tone="bad" empty="Nobody is refused now." />
        </div>
      )}
    </>
  )
}

function KeyList(props: {
  readonly name: string
  readonly title: string
  readonly keys: readonly KeyCount[]
  readonly tone: 'plain' | 'bad'
  readonly empty: string
}): VNode {
  const levels = useLevels(props.name, props.keys)
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
          { title: 'Left', isNumber: true, cell: ({ key }) => <LevelText of={levels.get(key)} /> },
          { title: 'Rate', isNumber: true, cell: ({ count }) => <Badge tone={props.tone}>{rateText(count)}</Badge> },
        ]}
        rows={props.keys.slice(0, mostKeys)}
        keyOf={({ key }) => key}
        empty={props.empty}
      />
    </Panel>
  )
}

const mostLevels = 8

/** The live levels of the first few keys, read again with every new list of them. */
function useLevels(name: string, keys: readonly KeyCount[]): ReadonlyMap<string, Level> {
  const [levels, setLevels] = useState<ReadonlyMap<string, Level>>(new Map())
  useEffect(() => {
    const leaving = new AbortController()
    const wanted = keys.slice(0, mostLevels).map(({ key }) => levelOf(name, `key=${encodeURIComponent(key)}`, leaving.signal))
    const read = async (): Promise<void> => {
      const told = await Promise.allSettled(wanted)
      if (leaving.signal.aborted) return
      setLevels(new Map(told.flatMap((one) => (one.status === 'fulfilled' ? [[one.value.key, one.value] as const] : []))))
    }
    void read()
    return () => leaving.abort()
  }, [name, keys])
  return levels
}

function levelOf(name: string, query: string, signal?: AbortSignal): Promise<Level> {
  return get<Level>(`/api/limits/${encodeURIComponent(name)}/level${query === '' ? '' : `?${query}`}`, signal)
}

function LevelText({ of: level }: { readonly of: Level | undefined }): VNode {
  if (level === undefined) return <span class="muted">–</span>
  const { remaining, capacity, wholeAfterMs, source } = level
  const whole = wholeAfterMs === 0 ? 'whole' : `whole in ${spanText(wholeAfterMs)}`
  return (
    <span class="tight" title={`${whole}, says ${source === 'node' ? "this node's table" : "the fleet's store"}`}>
      <b class={remaining <= 0 ? 'bad' : ''}>{countText(remaining)}</b> <span class="muted">of {countText(capacity)}</span>
    </span>
  )
}

/** Asks for the level of one budget by whose it is. */
function Asked({ name, per }: { readonly name: string; readonly per: readonly string[] }): VNode {
  const [level, setLevel] = useState<Level>()
  const [error, setError] = useState('')
  const ask = async (form: FormData): Promise<void> => {
    const query = per.map((part) => `${encodeURIComponent(part)}=${encodeURIComponent(textOf(form.get(part)))}`).join('&')
    try {
      setLevel(await levelOf(name, query))
      setError('')
    } catch (thrown) {
      setLevel(undefined)
      setError((thrown as Error).message)
    }
  }
  return (
    <Panel title={`Level of ${name}`} aside={<span class="muted">asking takes nothing</span>}>
      <form
        class="question"
        onSubmit={(event) => {
          event.preventDefault()
          void ask(new FormData(event.currentTarget))
        }}
      >
        {per.map((part) => (
          <label key={part}>
            {part}
            <input name={part} autocomplete="off" spellcheck={false} />
          </label>
        ))}
        <button type="submit">Look</button>
        {level !== undefined && (
          <p role="status">
            <LevelText of={level} /> left, {level.wholeAfterMs === 0 ? 'whole' : `whole in ${spanText(level.wholeAfterMs)}`}, says{' '}
            {level.source === 'node' ? "this node's table" : "the fleet's store"}
          </p>
        )}
        {error !== '' && (
          <p class="error" role="alert">
            {error}
          </p>
        )}
      </form>
    </Panel>
  )
}

function textOf(value: FormDataEntryValue | null): string {
  return typeof value === 'string' ? value.trim() : ''
}
