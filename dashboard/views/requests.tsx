import type { VNode } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { follow, get } from '../api.ts'
import type { KeptRequest } from '../documents.ts'
import type { ViewProps } from '../app.tsx'
import { Badge, Panel, ViewHead, Waiting } from '../parts/panel.tsx'
import { Table } from '../parts/table.tsx'
import { Verdicts } from '../parts/verdicts.tsx'
import { amountText, secondsText, timeText } from '../words.ts'

const most = 300
const filters = [
  'status',
  'method',
  'route',
  'service',
  'policy',
  'code',
  'address',
  'subject',
  'tenant',
  'client',
  'host',
  'label',
] as const

/** The latest requests that were kept, and those that come, with what was decided about each. */
export function RequestsView({ query }: ViewProps): VNode {
  const [isPaused, setPaused] = useState(false)
  const [opened, setOpened] = useState('')
  const chosen = new URLSearchParams([...query].filter(([name]) => (filters as readonly string[]).includes(name)))
  const { rows, error, missed } = useStream(String(chosen), isPaused)
  return (
    <>
      <ViewHead title="Requests" text="Those that were refused or failed, were traced, and some of the others">
        <button type="button" aria-pressed={isPaused} onClick={() => setPaused(!isPaused)}>
          {isPaused ? 'Go on' : 'Pause'}
        </button>
      </ViewHead>
      <Filters query={chosen} />
      <Waiting error={error} of={rows} />
      {missed > 0 && (
        <p class="notice muted">
          {missed.toLocaleString('en')} more came too fast to be shown, of all kinds; refused ones are shown first.
        </p>
      )}
      {rows !== undefined && (
        <Panel isFlush>
          <Table
            label="Requests"
            columns={[
              { title: 'At', cell: ({ at }) => <time dateTime={at}>{timeText(at)}</time> },
              { title: 'Status', cell: ({ status }) => <Badge tone={toneOf(status)}>{status === 0 ? 'none' : status}</Badge> },
              {
                title: 'Request',
                isWide: true,
                cell: ({ method, path, query: search }) => (
                  <>
                    <span class="muted">{method || 'unread'}</span> <code>{search === undefined ? path : `${path}?${search}`}</code>
                  </>
                ),
              },
              { title: 'Route', cell: ({ route }) => <span class="tight">{route ?? '–'}</span> },
              { title: 'Verdict', cell: (row) => <Outcome row={row} /> },
              {
                title: 'Caller',
                cell: ({ caller, address }) => <span class="tight">{caller?.subject ?? caller?.client ?? address}</span>,
              },
              { title: 'Took', isNumber: true, cell: ({ durationMs }) => secondsText(durationMs / 1000) },
            ]}
            rows={rows}
            keyOf={({ id }) => id}
            empty="No request fits yet."
            opened={opened}
            open={(key) => {
              setOpened(key)
              // What is read shall not be pushed away by what comes.
              if (key !== '') setPaused(true)
            }}
            more={(row) => <RequestMore row={row} />}
          />
        </Panel>
      )}
    </>
  )
}

interface Streamed {
  readonly rows: readonly KeptRequest[] | undefined
  readonly error: Error | undefined
  readonly missed: number
}

const retryMs = 2000

/** What is kept, then what comes; a broken stream is taken up again. */
function useStream(query: string, isPaused: boolean): Streamed {
  const [streamed, setStreamed] = useState<Streamed>({ rows: undefined, error: undefined, missed: 0 })
  useEffect(() => {
    if (isPaused) return undefined
    const leaving = new AbortController()
    let waiting: KeptRequest[] = []
    let frame = 0
    const show = (): void => {
      frame = 0
      const fresh = waiting
      waiting = []
      setStreamed(({ rows = [], missed }) => ({ rows: merged(fresh, rows), error: undefined, missed }))
    }
    const run = async (): Promise<void> => {
      const ask = query === '' ? '' : `&${query}`
      const { requests } = await get<{ requests: readonly KeptRequest[] }>(`/api/requests?limit=${most}${ask}`, leaving.signal)
      setStreamed({ rows: requests, error: undefined, missed: 0 })
      await follow(`/api/requests${query === '' ? '' : `?${query}`}`, leaving.signal, (event, value) => {
        if (event === 'missed') {
          setStreamed((before) => ({ ...before, missed: before.missed + (value as { missed: number }).missed }))
          return
        }
        waiting.push(value as KeptRequest)
        if (waiting.length > most) waiting.shift()
        if (frame === 0) frame = window.setTimeout(show, 250)
      })
    }
    const keepRunning = async (): Promise<void> => {
      while (!leaving.signal.aborted) {
        try {
          await run()
        } catch (thrown) {
          if (leaving.signal.aborted) return
          setStreamed((before) => ({ ...before, error: thrown as Error }))
        }
        await new Promise((resolve) => setTimeout(resolve, retryMs))
      }
    }
    void keepRunning()
    return () => {
      leaving.abort()
      clearTimeout(frame)
    }
  }, [query, isPaused])
  return streamed
}

/** The newest first, none twice. */
function merged(fresh: readonly KeptRequest[], rows: readonly KeptRequest[]): KeptRequest[] {
  const ids = new Set(fresh.map(({ id }) => id))
  return [...fresh.toReversed(), ...rows.filter(({ id }) => !ids.has(id))].slice(0, most)
}

function go(next: URLSearchParams): void {
  location.hash = `#/requests${next.size === 0 ? '' : `?${next}`}`
}

function Filters({ query }: { readonly query: URLSearchParams }): VNode {
  const [name, setName] = useState<string>('route')
  const [text, setText] = useState('')
  const add = (event: Event): void => {
    event.preventDefault()
    if (text.trim() === '') return
    const next = new URLSearchParams(query)
    next.append(name, text.trim())
    go(next)
  }
  const without = (gone: string, value: string): URLSearchParams =>
    new URLSearchParams([...query].filter(([one, given]) => one !== gone || given !== value))
  return (
    <div class="tools">
      <select
        aria-label="Status"
        value={query.get('status') ?? ''}
        onChange={(event) => {
          const next = new URLSearchParams(query)
          next.delete('status')
          if (event.currentTarget.value !== '') next.set('status', event.currentTarget.value)
          go(next)
        }}
      >
        <option value="">Every status</option>
        <option value="2xx">2xx</option>
        <option value="3xx">3xx</option>
        <option value="4xx">4xx</option>
        <option value="5xx">5xx</option>
        {!['', '2xx', '3xx', '4xx', '5xx'].includes(query.get('status') ?? '') && <option>{query.get('status')}</option>}
      </select>
      <form class="tools" onSubmit={add}>
        <select aria-label="Field" value={name} onChange={(event) => setName(event.currentTarget.value)}>
          {filters
            .filter((filter) => filter !== 'status')
            .map((filter) => (
              <option key={filter}>{filter}</option>
            ))}
        </select>
        <input aria-label="Value" placeholder="is exactly…" value={text} onInput={(event) => setText(event.currentTarget.value)} />
        <button type="submit">Filter</button>
      </form>
      {[...query]
        .filter(([filter]) => filter !== 'status')
        .map(([filter, value]) => (
          <button
            key={`${filter} ${value}`}
            type="button"
            class="small"
            title="Remove this filter"
            onClick={() => go(without(filter, value))}
          >
            {filter}: {value} ✕
          </button>
        ))}
    </div>
  )
}

function toneOf(status: number): 'good' | 'warn' | 'bad' | 'plain' {
  if (status === 0 || status >= 500) return 'bad'
  if (status >= 400) return 'warn'
  return status < 300 ? 'good' : 'plain'
}

function Outcome({ row }: { readonly row: KeptRequest }): VNode {
  if (row.refused !== undefined) {
    return (
      <span class="tight">
        {row.refused.policy} <span class="muted">{row.refused.code}</span>
      </span>
    )
  }
  if (row.fault !== undefined) return <span class="tight bad">{row.fault.code}</span>
  if (row.route === undefined) return <span class="muted">no route</span>
  const shadow = row.verdicts.find(({ decision }) => decision === 'would-refuse')
  return shadow === undefined ? <span class="muted">passed</span> : <span class="tight warn">{shadow.policy} would refuse</span>
}

/** What is kept of a request, as a question: without the headers that are not kept. */
function askedOf({ method, path, query, host, listener, address, caller }: KeptRequest): URLSearchParams {
  const asked = new URLSearchParams({ method, url: query === undefined ? path : `${path}?${query}`, address, listener })
  if (host !== '') asked.set('headers', `host: ${host}`)
  if (caller?.subject !== undefined) asked.set('subject', caller.subject)
  if (caller?.tenant !== undefined) asked.set('tenant', caller.tenant)
  return asked
}

function RequestMore({ row }: { readonly row: KeptRequest }): VNode {
  const facts: readonly (readonly [string, string | undefined])[] = [
    ['Id', row.id],
    ['Kept because', row.keptFor],
    ['Host', row.host],
    ['From', `${row.address} by ${row.listener}${row.version === '' ? '' : `, HTTP/${row.version}`}`],
    [
      'Caller',
      row.caller === undefined
        ? undefined
        : Object.values(row.caller)
            .filter((part) => typeof part === 'string')
            .join(' · '),
    ],
    ['Refused at', row.refused?.source],
    ['Failed because', row.fault?.why],
    [
      'Service',
      row.service === undefined
        ? undefined
        : `${row.service}${row.target === undefined ? '' : ` at ${row.target}`}, ${amountText(row.attempts, 'try', 'tries')}`,
    ],
    ['Served by', `worker ${row.worker}, generation ${row.generation.slice(0, 12)}`],
  ]
  return (
    <>
      <p class="summary">
        {row.summary}{' '}
        {row.method !== '' && row.path.startsWith('/') && <a href={`#/explain?${String(askedOf(row))}`}>Explain such a request</a>}
      </p>
      <dl class="facts">
        {facts.map(([name, text]) =>
          text === undefined || text === '' ? null : (
            <>
              <dt>{name}</dt>
              <dd>{text}</dd>
            </>
          ),
        )}
      </dl>
      {row.verdicts.length > 0 && <Verdicts of={row.verdicts} />}
    </>
  )
}
