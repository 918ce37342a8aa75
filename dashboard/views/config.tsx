import type { VNode } from 'preact'
import { ApiError, call } from '../api.ts'
import type { Config, ConfigDiff, Finding, ValueChange } from '../documents.ts'
import { Certificates } from '../parts/certificates.tsx'
import { confirmThen } from '../parts/confirm.tsx'
import { Badge, Panel, ViewHead, Waiting } from '../parts/panel.tsx'
import { Table } from '../parts/table.tsx'
import { usePolled } from '../parts/use-polled.ts'
import { agoText } from '../words.ts'

/** The configuration that is served, what its latest load said, and what the latest change came to. */
export function ConfigView(): VNode {
  const { value, error, again } = usePolled<Config>('/api/config', 3000)
  return (
    <>
      <ViewHead title="Configuration" text="What is served, what its latest load said, and what the latest change came to">
        <button type="button" onClick={() => askReload(again)}>
          Reload…
        </button>
      </ViewHead>
      <Waiting error={error} of={value} />
      {value !== undefined && (
        <>
          {!value.load.committed && (
            <p class="notice bad" role="alert">
              The latest load {agoText(value.load.at)} was not taken over; the generation before it goes on.
              {value.load.failure !== undefined && ` ${value.load.failure}`}
            </p>
          )}
          <div class="columns narrow">
            <Panel title="Generation">
              <dl class="facts">
                <dt>Number</dt>
                <dd>{value.generation.number}</dd>
                <dt>Hash</dt>
                <dd>
                  <code>{value.generation.hash}</code>
                </dd>
                <dt>Committed</dt>
                <dd>{agoText(value.generation.committedAt)}</dd>
                <dt>File</dt>
                <dd>
                  <code>{value.load.file}</code>
                </dd>
                <dt>Loaded</dt>
                <dd>{agoText(value.load.at)}</dd>
              </dl>
            </Panel>
            <Panel title="Listeners" isFlush>
              <Table
                label="Listeners"
                columns={[
                  { title: 'Listener', isWide: true, cell: ({ name }) => <b>{name}</b> },
                  { title: 'Address', cell: ({ host, port }) => <code class="tight">{`${host}:${port}`}</code> },
                  { title: '', cell: ({ tls }) => <Badge tone={tls ? 'good' : 'plain'}>{tls ? 'TLS' : 'plain'}</Badge> },
                ]}
                rows={value.listeners}
                keyOf={({ name }) => name}
                empty="None."
              />
            </Panel>
            <Panel title="Workers" isFlush>
              <Table
                label="Workers"
                columns={[
                  { title: 'Worker', isWide: true, cell: ({ number }) => number },
                  { title: 'State', cell: ({ state }) => <Badge tone={state === 'serving' ? 'good' : 'warn'}>{state}</Badge> },
                ]}
                rows={value.workers}
                keyOf={({ number }) => String(number)}
                empty="None."
              />
            </Panel>
          </div>
          <Certificates />
          <Findings findings={value.load.findings} />
          <Difference key={value.generation.hash} />
        </>
      )}
    </>
  )
}

function askReload(done: () => void): void {
  confirmThen({
    title: 'Reload the configuration?',
    text: 'The file is read and checked. A good one takes over without losing a request; a bad one changes nothing.',
    verb: 'Reload',
    async run() {
      try {
        await call('POST', '/api/reload')
        return 'The configuration was loaded.'
      } catch (thrown) {
        if (thrown instanceof ApiError && thrown.status === 422) return 'The configuration was not taken over: see the findings.'
        throw thrown
      } finally {
        done()
      }
    },
  })
}

function Findings({ findings }: { readonly findings: readonly Finding[] }): VNode {
  return (
    <Panel title="Findings" isFlush>
      <Table
        label="Findings"
        columns={[
          { title: '', cell: ({ severity }) => <Badge tone={severity === 'error' ? 'bad' : 'warn'}>{severity}</Badge> },
          {
            title: 'At',
            cell: ({ path, file, line }) => (
              <code title={file}>
                {path}
                {line !== undefined && <span class="stack">line {line}</span>}
              </code>
            ),
          },
          {
            title: 'What',
            isWide: true,
            cell: ({ message, remedy }) => (
              <>
                {message}
                <span class="stack">{remedy}</span>
              </>
            ),
          },
        ]}
        rows={findings}
        keyOf={({ path, message }) => `${path} ${message}`}
        empty="The latest load found nothing to say."
      />
    </Panel>
  )
}

interface Change {
  readonly what: string
  readonly kind: string
  readonly changes: readonly ValueChange[]
  readonly note: string
}

function Difference(): VNode {
  const { value, error } = usePolled<ConfigDiff>('/api/config/diff', 0)
  if (error instanceof ApiError && error.status === 404) {
    return (
      <Panel title="Latest change" isFlush>
        <p class="empty muted">The configuration was not changed since the start.</p>
      </Panel>
    )
  }
  return (
    <Panel
      title="Latest change"
      isFlush
      aside={value !== undefined && <code>{`${value.from.slice(0, 12)} → ${value.to.slice(0, 12)}`}</code>}
    >
      <Waiting error={error} of={value} />
      {value !== undefined && (
        <Table
          label="Latest change"
          columns={[
            {
              title: '',
              cell: ({ kind }) => <Badge tone={kind === 'added' ? 'good' : kind === 'removed' ? 'bad' : 'plain'}>{kind}</Badge>,
            },
            { title: 'What', cell: ({ what }) => <b class="tight">{what}</b> },
            {
              title: 'Change',
              isWide: true,
              cell: ({ changes, note }) => (
                <>
                  {changes.map((change) => (
                    <span key={change.path} class="stack">
                      <code>
                        {change.path}: {shown(change.before)} → {shown(change.after)}
                      </code>
                    </span>
                  ))}
                  {note}
                </>
              ),
            },
          ]}
          rows={changesOf(value).slice(0, 500)}
          keyOf={({ what, kind }) => `${kind} ${what}`}
          empty="The two configurations mean the same."
        />
      )}
    </Panel>
  )
}

function changesOf({ routes, parts }: ConfigDiff): Change[] {
  return [
    ...routes.added.map(({ name, other }) => ({
      what: name,
      kind: 'added',
      changes: [],
      note: other === undefined ? 'Nothing answered there before.' : `${other} answered there before.`,
    })),
    ...routes.removed.map(({ name, other }) => ({
      what: name,
      kind: 'removed',
      changes: [],
      note: other === undefined ? 'Nothing answers there now.' : `${other} answers there now.`,
    })),
    ...routes.altered.map(({ name, changes, through }) => ({
      what: name,
      kind: 'altered',
      changes,
      note: through.length === 0 ? '' : `through ${through.join(', ')}`,
    })),
    ...parts.map(({ part, kind, changes }) => ({ what: part, kind, changes, note: '' })),
  ]
}

function shown(value: unknown): string {
  return value === undefined ? '–' : JSON.stringify(value)
}
