import type { VNode } from 'preact'
import { useState } from 'preact/hooks'
import { call } from '../api.ts'
import type { Cache } from '../documents.ts'
import { confirmThen } from '../parts/confirm.tsx'
import { Panel, ViewHead, Waiting } from '../parts/panel.tsx'
import { Table } from '../parts/table.tsx'
import { usePolled } from '../parts/use-polled.ts'
import { bytesText, countText } from '../words.ts'

const answered = ['hit', 'stale', 'revalidated', 'collapsed'] as const
const mostRoutes = 200

/** What the cache holds and how often it answered; purges. */
export function CacheView(): VNode {
  const { value, error, again } = usePolled<Cache>('/api/cache', 3000)
  return (
    <>
      <ViewHead title="Cache" />
      <Waiting error={error} of={value} />
      {value !== undefined && (
        <>
          <div class="columns">
            <Fill value={value} />
            <PurgePanel done={again} />
          </div>
          <Panel title="By route" isFlush aside={<span class="muted">since the start</span>}>
            <Table
              label="Cache by route"
              columns={[
                { title: 'Route', isWide: true, cell: ({ route }) => <b>{route}</b> },
                {
                  title: 'Answered',
                  isNumber: true,
                  cell: ({ share }) => (share === undefined ? '–' : `${Math.round(share * 100)} %`),
                },
                ...['hit', 'stale', 'revalidated', 'collapsed', 'miss', 'bypass'].map((result) => ({
                  title: result,
                  isNumber: true,
                  cell: ({ counts }: RouteCache) => countText(counts[result] ?? 0),
                })),
              ]}
              rows={rowsOf(value)}
              keyOf={({ route }) => route}
              empty="No route has a cache, or none was asked yet."
            />
          </Panel>
        </>
      )}
    </>
  )
}

interface RouteCache {
  readonly route: string
  readonly counts: Readonly<Record<string, number>>
  readonly share: number | undefined
}

/** The busiest routes first. */
function rowsOf({ requests }: Cache): RouteCache[] {
  return Object.entries(requests)
    .map(([route, counts]) => {
      const total = sumOf(counts)
      const share = total === 0 ? undefined : answered.reduce((sum, result) => sum + (counts[result] ?? 0), 0) / total
      return { route, counts, share }
    })
    .toSorted((a, b) => sumOf(b.counts) - sumOf(a.counts))
    .slice(0, mostRoutes)
}

function sumOf(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0)
}

function Fill({ value }: { readonly value: Cache }): VNode {
  const { usedBytes, maxBytes, purges } = value
  return (
    <Panel title="Memory">
      <p>
        <b>{bytesText(usedBytes)}</b> <span class="muted">of {bytesText(maxBytes)}</span>
      </p>
      <span class="bar" role="img" aria-label={`${Math.round((usedBytes / (maxBytes || 1)) * 100)} % in use`}>
        <i style={{ width: `${(usedBytes / (maxBytes || 1)) * 100}%` }} />
      </span>
      <p class="muted">{purges === 1 ? 'One purge is' : `${countText(purges)} purges are`} in force.</p>
    </Panel>
  )
}

const placeholders = {
  url: 'https://api.example.com/catalog/1',
  prefix: 'https://api.example.com/catalog/',
  tag: 'catalog',
} as const

function PurgePanel({ done }: { readonly done: () => void }): VNode {
  const [by, setBy] = useState<keyof typeof placeholders>('url')
  const [text, setText] = useState('')
  const [isSoft, setSoft] = useState(false)
  const submit = (event: Event): void => {
    event.preventDefault()
    confirmThen({
      title: 'Purge the cache?',
      text: (
        <p>
          Answers by {by} <code>{text}</code>{' '}
          {isSoft ? 'are checked with the service before they are used again.' : 'are forgotten on every node.'}
        </p>
      ),
      verb: 'Purge',
      isDangerous: true,
      async run() {
        await call('POST', '/api/cache/purge', { [by]: text.trim(), ...(isSoft ? { soft: true } : {}) })
        done()
        return 'Purged.'
      },
    })
  }
  return (
    <Panel title="Purge">
      <form class="confirm-text" onSubmit={submit}>
        <div class="tools">
          <select aria-label="Purge by" value={by} onChange={(event) => setBy(event.currentTarget.value as typeof by)}>
            <option value="url">URL</option>
            <option value="prefix">Prefix</option>
            <option value="tag">Tag</option>
          </select>
          <input
            aria-label="What to purge"
            type="search"
            required
            placeholder={placeholders[by]}
            value={text}
            onInput={(event) => setText(event.currentTarget.value)}
          />
          <button type="submit">Purge…</button>
        </div>
        <label class="check">
          <input type="checkbox" checked={isSoft} onChange={(event) => setSoft(event.currentTarget.checked)} />
          Soft: keep, but check with the service first
        </label>
      </form>
    </Panel>
  )
}
