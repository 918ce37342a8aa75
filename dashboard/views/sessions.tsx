import type { VNode } from 'preact'
import { useRef, useState } from 'preact/hooks'
import { call, get } from '../api.ts'
import type { AuditEntry, Session } from '../documents.ts'
import { confirmThen } from '../parts/confirm.tsx'
import { Badge, Panel, ViewHead, Waiting } from '../parts/panel.tsx'
import { Table } from '../parts/table.tsx'
import { usePolled } from '../parts/use-polled.ts'
import { agoText, timeText } from '../words.ts'

interface Page {
  readonly sessions: readonly Session[]
  readonly next: string
}

/** Sessions, revocations and what the audit log says of them. */
export function SessionsView(): VNode {
  const [subject, setSubject] = useState('')
  const [wanted, setWanted] = useState('')
  const [cursors, setCursors] = useState<readonly string[]>([''])
  const cursor = cursors.at(-1) ?? ''
  const query =
    wanted === '' ? (cursor === '' ? '' : `?cursor=${encodeURIComponent(cursor)}`) : `?subject=${encodeURIComponent(wanted)}`
  const { value, error, again } = usePolled<Page>(`/api/sessions${query}`, 5000)
  const form = useRef<HTMLDivElement>(null)
  return (
    <>
      <ViewHead title="Sessions" text="Logins that are alive, and what was revoked">
        <form
          class="tools"
          onSubmit={(event) => {
            event.preventDefault()
            setWanted(subject.trim())
          }}
        >
          <input
            type="search"
            aria-label="Subject"
            placeholder="Whole subject…"
            value={subject}
            onInput={(event) => {
              setSubject(event.currentTarget.value)
              if (event.currentTarget.value === '') setWanted('')
            }}
          />
          <button type="submit">Find</button>
        </form>
        <button type="button" onClick={() => askRevocation(form, again)}>
          Revoke…
        </button>
      </ViewHead>
      <Waiting error={error} of={value} />
      {value !== undefined && (
        <>
          <Panel isFlush>
            <Table
              label="Sessions"
              columns={[
                { title: 'Subject', cell: (session) => <b>{session.subject ?? wanted}</b> },
                { title: 'Kind', cell: ({ kind }) => <Badge tone="plain">{kind}</Badge> },
                { title: 'Device', isWide: true, cell: ({ device }) => device || '–' },
                { title: 'Address', cell: ({ address }) => <code>{address}</code> },
                { title: 'Started', cell: ({ startedAt }) => <span class="tight">{agoText(startedAt)}</span> },
                { title: 'Last seen', cell: ({ lastSeenAt }) => <span class="tight">{agoText(lastSeenAt)}</span> },
                { title: 'Ends', cell: ({ expiresAt }) => <span class="tight">{agoText(expiresAt)}</span> },
                {
                  title: '',
                  cell: (session) => (
                    <button type="button" class="small" onClick={() => askEnd(session, session.subject ?? wanted, again)}>
                      End
                    </button>
                  ),
                },
              ]}
              rows={value.sessions}
              keyOf={({ id }) => id}
              empty={wanted === '' ? 'Nobody is logged in.' : `${wanted} is not logged in.`}
            />
          </Panel>
          <div class="buttons">
            {cursors.length > 1 && (
              <button type="button" onClick={() => setCursors(cursors.slice(0, -1))}>
                Back
              </button>
            )}
            {value.next !== '' && (
              <button type="button" onClick={() => setCursors([...cursors, value.next])}>
                More
              </button>
            )}
          </div>
          <Audit />
        </>
      )}
    </>
  )
}

function askEnd({ id, device }: Session, subject: string, done: () => void): void {
  confirmThen({
    title: `End this session of ${subject}?`,
    text: `${device || 'Its browser'} is logged out everywhere within a second; streams that it opened end.`,
    verb: 'End session',
    isDangerous: true,
    async run() {
      await call('DELETE', `/api/sessions/${encodeURIComponent(id)}`)
      done()
      return 'The session has ended.'
    },
  })
}

const kinds = {
  subject: [['subject', 'Subject']],
  session: [['id', 'Id of the session']],
  client: [['client', 'Client']],
  token: [
    ['issuer', 'Issuer'],
    ['id', 'Id of the token (jti)'],
  ],
  key: [['keyId', 'Id of the key (kid)']],
} as const

function askRevocation(form: { current: HTMLDivElement | null }, done: () => void): void {
  confirmThen({
    title: 'Revoke what?',
    text: <RevocationForm place={form} />,
    verb: 'Revoke',
    isDangerous: true,
    async run() {
      const fields = [...(form.current?.querySelectorAll<HTMLInputElement | HTMLSelectElement>('select, input') ?? [])]
      await call('POST', '/api/revocations', Object.fromEntries(fields.map(({ name, value }) => [name, value.trim()])))
      done()
      return 'Revoked: it is refused on every node within a second.'
    },
  })
}

function RevocationForm({ place }: { readonly place: { current: HTMLDivElement | null } }): VNode {
  const [kind, setKind] = useState<keyof typeof kinds>('subject')
  return (
    <div ref={place} class="confirm-text">
      <label>
        Everything of
        <select name="kind" value={kind} onChange={(event) => setKind(event.currentTarget.value as keyof typeof kinds)}>
          <option value="subject">a subject</option>
          <option value="session">a session</option>
          <option value="client">a client</option>
          <option value="token">a token</option>
          <option value="key">a signing key</option>
        </select>
      </label>
      {kinds[kind].map(([name, title]) => (
        <label key={name}>
          {title}
          <input name={name} required maxLength={256} autocomplete="off" />
        </label>
      ))}
    </div>
  )
}

function Audit(): VNode {
  const { value, error, again } = usePolled<{ entries: readonly AuditEntry[]; next: string }>('/api/audit', 5000)
  const [older, setOlder] = useState<{ entries: readonly AuditEntry[]; next: string }>()
  const next = older?.next ?? value?.next ?? ''
  const more = async (): Promise<void> => {
    const got = await get<{ entries: readonly AuditEntry[]; next: string }>(`/api/audit?cursor=${encodeURIComponent(next)}`)
    setOlder({ entries: [...(older?.entries ?? []), ...got.entries], next: got.next })
  }
  const entries = [...(value?.entries ?? []), ...(older?.entries ?? [])]
  return (
    <Panel title="Audit log" isFlush>
      <Waiting error={error} of={value} />
      {value !== undefined && (
        <Table
          label="Audit log"
          columns={[
            { title: 'At', cell: ({ at }) => <time dateTime={at}>{timeText(at)}</time> },
            { title: 'Event', cell: ({ event }) => <span class="tight">{event}</span> },
            { title: 'Facts', isWide: true, cell: ({ facts }) => <code>{factsText(facts)}</code> },
          ]}
          rows={entries.slice(0, 1000)}
          keyOf={({ at, event, facts }) => `${at} ${event} ${factsText(facts)}`}
          empty="Nothing happened yet."
        />
      )}
      {next !== '' && (
        <p>
          <button type="button" class="small" onClick={() => void more().catch(again)}>
            Older
          </button>
        </p>
      )}
    </Panel>
  )
}

function factsText(facts: AuditEntry['facts']): string {
  return Object.entries(facts)
    .map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(' ')
}
