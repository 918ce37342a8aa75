import type { VNode } from 'preact'
import { useRef } from 'preact/hooks'
import { call } from '../api.ts'
import type { Penalties, Penalty } from '../documents.ts'
import { confirmThen } from '../parts/confirm.tsx'
import { Badge, Panel, ViewHead, Waiting } from '../parts/panel.tsx'
import { Table } from '../parts/table.tsx'
import { usePolled } from '../parts/use-polled.ts'
import { agoText, countText } from '../words.ts'

/** Who is in the penalty box, and the rules that put them there. */
export function PenaltiesView(): VNode {
  const { value, error, again } = usePolled<Penalties>('/api/penalties', 3000)
  return (
    <>
      <ViewHead title="Penalty box" text={value !== undefined && `${countText(value.penalties.length)} inside`} />
      <Waiting error={error} of={value} />
      {value !== undefined && (
        <>
          <Panel title="Inside" isFlush>
            <Table
              label="Boxed clients"
              columns={[
                { title: 'Who', cell: ({ who }) => <Who who={who} /> },
                { title: 'Penalty', cell: ({ penalty }) => <span class="tight">{penalty}</span> },
                { title: 'By', cell: ({ by }) => <Badge tone="plain">{by}</Badge> },
                { title: 'Reason', isWide: true, cell: ({ reason }) => reason || '–' },
                { title: 'Since', cell: ({ at }) => <span class="tight">{agoText(at)}</span> },
                { title: 'Ends', cell: ({ until }) => <span class="tight">{agoText(until)}</span> },
                { title: '', cell: (penalty) => <LiftButton penalty={penalty} done={again} /> },
              ]}
              rows={value.penalties}
              keyOf={({ id }) => id}
              empty="Nobody is in the penalty box."
            />
          </Panel>
          <Panel title="Rules" isFlush>
            <Table
              label="Penalties of the configuration"
              columns={[
                { title: 'Penalty', cell: ({ name }) => <b>{name}</b> },
                { title: 'After', isWide: true, cell: ({ after }) => after ?? 'by hand only' },
                { title: 'For', cell: (rule) => rule.for },
                { title: 'Per', cell: ({ per }) => <span class="tight">{per.join(' + ')}</span> },
                {
                  title: 'Mode',
                  cell: ({ shadow }) => <Badge tone={shadow ? 'warn' : 'plain'}>{shadow ? 'shadow' : 'enforced'}</Badge>,
                },
                { title: 'Inside', isNumber: true, cell: ({ boxed }) => countText(boxed) },
                {
                  title: '',
                  cell: (rule) => <BoxButton rule={rule} done={again} />,
                },
              ]}
              rows={value.rules}
              keyOf={({ name }) => name}
              empty="The configuration has no penalties."
            />
          </Panel>
        </>
      )}
    </>
  )
}

function Who({ who }: { readonly who: Penalty['who'] }): VNode {
  return (
    <>
      {Object.entries(who).map(([part, name]) => (
        <span key={part} class="tight">
          <span class="muted">{part}</span> <code>{name}</code>{' '}
        </span>
      ))}
    </>
  )
}

function LiftButton({ penalty, done }: { readonly penalty: Penalty; readonly done: () => void }): VNode {
  const ask = (): void =>
    confirmThen({
      title: 'Lift this penalty?',
      text: (
        <p>
          <Who who={penalty.who} /> may call again at once, on every node.
        </p>
      ),
      verb: 'Lift',
      async run() {
        await call('DELETE', `/api/penalties/${encodeURIComponent(penalty.id)}`)
        done()
        return 'The penalty is lifted.'
      },
    })
  return (
    <button type="button" class="small" onClick={ask}>
      Lift
    </button>
  )
}

function BoxButton({ rule, done }: { readonly rule: Penalties['rules'][number]; readonly done: () => void }): VNode {
  const form = useRef<HTMLDivElement>(null)
  const ask = (): void =>
    confirmThen({
      title: `Box somebody under “${rule.name}”?`,
      text: (
        <div ref={form} class="confirm-text">
          {rule.per.map((part) => (
            <label key={part}>
              {part}
              <input name={`who:${part}`} required autocomplete="off" />
            </label>
          ))}
          <label>
            For
            <input name="for" placeholder={rule.for} autocomplete="off" />
          </label>
          <label>
            Reason
            <input name="reason" autocomplete="off" />
          </label>
        </div>
      ),
      verb: 'Box',
      isDangerous: true,
      async run() {
        const fields = fieldsOf(form.current)
        await call('PUT', '/api/penalties', {
          penalty: rule.name,
          who: Object.fromEntries(rule.per.map((part) => [part, fields[`who:${part}`]])),
          ...(fields['for'] === '' ? {} : { for: fields['for'] }),
          ...(fields['reason'] === '' ? {} : { reason: fields['reason'] }),
        })
        done()
        return 'It is in the penalty box.'
      },
    })
  return (
    <button type="button" class="small" onClick={ask}>
      Box…
    </button>
  )
}

function fieldsOf(form: HTMLElement | null): Readonly<Record<string, string>> {
  const inputs = [...(form?.querySelectorAll('input') ?? [])]
  return Object.fromEntries(inputs.map(({ name, value }) => [name, value.trim()]))
}
