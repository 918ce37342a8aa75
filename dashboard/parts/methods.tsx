import type { VNode } from 'preact'
import type { BridgedService } from '../documents.ts'
import { Badge } from './panel.tsx'
import { Table } from './table.tsx'

const kinds = {
  unary: 'unary',
  'server-stream': 'server stream',
  'client-stream': 'client stream',
  'both-stream': 'both stream',
} as const

/** The methods of a service of gRPC behind bridges; folded, since there may be hundreds. */
export function Methods({ of: bridged }: { readonly of: BridgedService | undefined }): VNode | null {
  if (bridged === undefined) return null
  const { service, methods, routes } = bridged
  const bridges = [...new Set(routes.flatMap((route) => route.bridges))].join(', ')
  if (methods === undefined) return <p class="muted">Behind {bridges}; it has not said yet what it offers.</p>
  return (
    <details class="methods">
      <summary>
        {methods.length} methods behind {bridges}
      </summary>
      <Table
        label={`Methods of ${service}`}
        columns={[
          {
            title: 'Method',
            isWide: true,
            cell: ({ method, summary }) => (
              <>
                <code>{method}</code>
                {summary !== undefined && <span class="stack">{summary}</span>}
              </>
            ),
          },
          { title: 'Kind', cell: ({ kind }) => <Badge tone="plain">{kinds[kind]}</Badge> },
          {
            title: 'REST',
            cell: ({ rest }) =>
              rest.map((rule) => (
                <code key={rule} class="stack">
                  {rule}
                </code>
              )),
          },
        ]}
        rows={methods}
        keyOf={({ method }) => method}
        empty="It offers none."
      />
    </details>
  )
}
