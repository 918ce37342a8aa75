import type { VNode } from 'preact'
import type { Certificate } from '../documents.ts'
import { agoText } from '../words.ts'
import { Badge, Panel, Waiting } from './panel.tsx'
import { Table } from './table.tsx'
import { usePolled } from './use-polled.ts'

const soonMs = 14 * 86_400_000

/** The certificates that are served or waited for, when they end, and how their orders go. */
export function Certificates(): VNode {
  const { value, error } = usePolled<{ certificates: readonly Certificate[] }>('/api/certificates', 15_000)
  return (
    <Panel title="Certificates" isFlush>
      <Waiting error={error} of={value} />
      {value !== undefined && (
        <Table
          label="Certificates"
          columns={[
            { title: 'Served at', cell: ({ place }) => <code class="tight">{place}</code> },
            { title: 'Names', isWide: true, cell: ({ names, acme }) => names.join(', ') || acme?.name || '–' },
            { title: 'From', cell: ({ source, file }) => <span title={file ?? ''}>{source}</span> },
            { title: 'Ends', cell: ({ notAfter }) => <Ends at={notAfter} /> },
            { title: 'Orders', cell: ({ acme }) => (acme === undefined ? '–' : <Orders acme={acme} />) },
          ]}
          rows={value.certificates}
          keyOf={({ place, names, fingerprint, acme }) => `${place} ${names.join(' ')} ${acme?.name ?? ''} ${fingerprint ?? ''}`}
          empty="No listener serves TLS."
        />
      )}
    </Panel>
  )
}

function Ends({ at }: { readonly at: string | undefined }): VNode {
  if (at === undefined) return <Badge tone="bad">none yet</Badge>
  const leftMs = Date.parse(at) - Date.now()
  return (
    <span title={at}>
      <Badge tone={leftMs <= 0 ? 'bad' : leftMs < soonMs ? 'warn' : 'good'}>
        {leftMs <= 0 ? `ended ${agoText(at)}` : agoText(at)}
      </Badge>
    </span>
  )
}

function Orders({ acme }: { readonly acme: NonNullable<Certificate['acme']> }): VNode {
  const { state, failures, lastError, nextOrder } = acme
  return (
    <>
      <Badge tone={state === 'failing' ? 'bad' : state === 'issued' ? 'good' : 'warn'}>{state}</Badge>
      {nextOrder !== undefined && <span class="stack tight">next {agoText(nextOrder)}</span>}
      {lastError !== undefined && (
        <span class="stack bad">
          {failures} failed: {lastError}
        </span>
      )}
    </>
  )
}
