import type { VNode } from 'preact'
import type { Verdict } from '../documents.ts'
import { Badge } from './panel.tsx'
import { Table } from './table.tsx'

const decisions: Readonly<Record<string, readonly ['good' | 'warn' | 'bad' | 'plain', string]>> = {
  passes: ['good', 'passes'],
  answers: ['plain', 'answers'],
  refuses: ['bad', 'refuses'],
  'would-refuse': ['warn', 'would refuse'],
  unknown: ['warn', 'depends'],
  acts: ['plain', 'acts'],
}

/** What each policy decided, why, and where its rule stands. */
export function Verdicts({ of }: { readonly of: readonly Verdict[] }): VNode {
  return (
    <Table
      label="Verdicts"
      columns={[
        {
          title: 'Policy',
          cell: ({ policy, stage }) => (
            <span class="tight">
              {policy} <small>{stage}</small>
            </span>
          ),
        },
        {
          title: 'Verdict',
          cell: ({ decision, code, isReached }) => {
            const [tone, words] = decisions[decision] ?? ['plain', decision]
            return (
              <span title={code}>
                <Badge tone={isReached === false ? 'plain' : tone}>{isReached === false ? `not reached: ${words}` : words}</Badge>
              </span>
            )
          },
        },
        { title: 'In words', isWide: true, cell: ({ words }) => words },
        { title: 'Stands at', cell: ({ source }) => <code>{source || 'built in'}</code> },
      ]}
      rows={of}
      keyOf={({ policy, stage, source, code }) => `${stage} ${policy} ${source} ${code}`}
      empty="No policy was asked."
    />
  )
}
