import type { VNode } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import type { Route, Routes } from '../documents.ts'
import { Badge, Panel, ViewHead, Waiting } from '../parts/panel.tsx'
import { Table } from '../parts/table.tsx'
import { usePolled } from '../parts/use-polled.ts'
import { countText, rateText, secondsText } from '../words.ts'

const page = 100
const most = 500

/** Routes with what passes them; the gateway searches and sorts, so that thousands are no more work than ten. */
export function RoutesView(): VNode {
  const [text, setText] = useState('')
  const [wanted, setWanted] = useState('')
  const [sort, setSort] = useState('match')
  const [limit, setLimit] = useState(page)
  const [opened, setOpened] = useState('')
  useEffect(() => {
    const timer = setTimeout(() => setWanted(text.trim()), 200)
    return () => clearTimeout(timer)
  }, [text])
  const { value, error } = usePolled<Routes>(
    `/api/overview/routes?${new URLSearchParams({ q: wanted, sort, limit: String(limit) })}`,
    3000,
  )
  const latest = useLatest(value)
  return (
    <>
      <ViewHead
        title="Routes"
        text={
          latest !== undefined &&
          `${countText(latest.found)} of ${countText(latest.total)}, ${sort === 'match' ? 'in the order in which they are tried' : `by ${sort}`}`
        }
      >
        <input
          type="search"
          aria-label="Find routes"
          placeholder="Name, path, host, service, policy…"
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
        />
        <select aria-label="Order" value={sort} onChange={(event) => setSort(event.currentTarget.value)}>
          <option value="match">As tried</option>
          <option value="name">By name</option>
          <option value="requests">Busiest</option>
          <option value="refused">Most refused</option>
          <option value="failed">Most failed</option>
          <option value="p99">Slowest</option>
        </select>
      </ViewHead>
      <Waiting error={error} of={latest} />
      {latest !== undefined && (
        <Panel isFlush>
          <Table
            label="Routes"
            columns={[
              {
                title: 'Route',
                sort: 'name',
                cell: ({ name }) => name,
              },
              {
                title: 'Matches',
                isWide: true,
                cell: (row) => <Matches row={row} />,
              },
              { title: 'To', cell: ({ to }) => <span class="tight">{to}</span> },
              { title: 'Auth', cell: ({ auth }) => <Badge tone={auth === 'public' ? 'warn' : 'plain'}>{auth}</Badge> },
              { title: 'Requests/s', sort: 'requests', isNumber: true, cell: ({ flow }) => rateText(flow.requests) },
              {
                title: '4xx/s',
                sort: 'refused',
                isNumber: true,
                cell: ({ flow }) => <span class={flow.refused > 0 ? 'warn' : 'muted'}>{rateText(flow.refused)}</span>,
              },
              {
                title: '5xx/s',
                sort: 'failed',
                isNumber: true,
                cell: ({ flow }) => <span class={flow.failed > 0 ? 'bad' : 'muted'}>{rateText(flow.failed)}</span>,
              },
              { title: 'p50', sort: 'p50', isNumber: true, cell: ({ flow }) => secondsText(flow.p50) },
              { title: 'p99', sort: 'p99', isNumber: true, cell: ({ flow }) => secondsText(flow.p99) },
            ]}
            rows={latest.routes}
            keyOf={({ name }) => name}
            empty={wanted === '' ? 'The configuration has no routes.' : 'No route fits.'}
            sortedBy={sort}
            sort={setSort}
            opened={opened}
            open={setOpened}
            more={(row) => <RouteMore row={row} />}
          />
        </Panel>
      )}
      {latest !== undefined && latest.found > latest.routes.length && (
        <p class="muted">
          {latest.found - latest.routes.length} more.{' '}
          {limit < most ? (
            <button type="button" class="small" onClick={() => setLimit(Math.min(most, limit + page))}>
              Show more
            </button>
          ) : (
            'Search to see them.'
          )}
        </p>
      )}
    </>
  )
}

/** The value that was there last, so that a table stays while its next form is read. */
function useLatest<T>(value: T | undefined): T | undefined {
  const [latest, setLatest] = useState(value)
  useEffect(() => {
    if (value !== undefined) setLatest(value)
  }, [value])
  return value ?? latest
}

function Matches({ row }: { readonly row: Route }): VNode {
  return (
    <>
      {row.methods.length > 0 && <span class="muted">{row.methods.join(' ')} </span>}
      <code>{row.paths.join(', ') || 'every path'}</code>
      {row.hosts.length > 0 && <span class="stack">{row.hosts.join(', ')}</span>}
      {row.conditions.length > 0 && <span class="stack">{row.conditions.join(', ')}</span>}
    </>
  )
}

function RouteMore({ row }: { readonly row: Route }): VNode {
  return (
    <dl class="facts">
      <dt>Stands at</dt>
      <dd>
        <code>{row.source}</code>
      </dd>
      <dt>Policies, in order</dt>
      <dd>
        <ol class="policies">
          {row.policies.map((policy) => (
            <li key={`${policy.stage} ${policy.name} ${policy.source}`} title={policy.source}>
              {policy.name} <small>{policy.stage}</small>
            </li>
          ))}
        </ol>
      </dd>
      <dt>Requests</dt>
      <dd>
        <a href={`#/requests?route=${encodeURIComponent(row.name)}`}>refused, failed and sampled ones</a>
      </dd>
    </dl>
  )
}
