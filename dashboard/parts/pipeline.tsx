import type { VNode } from 'preact'
import { useState } from 'preact/hooks'
import type { PipelineStep } from '../documents.ts'
import { countText, rateText } from '../words.ts'
import { Table } from './table.tsx'

const titles: Readonly<Record<PipelineStep['step'], string>> = {
  client: 'Clients',
  tls: 'TLS',
  guard: 'Guard',
  route: 'Route',
  auth: 'Auth',
  limits: 'Limits',
  shape: 'Shape',
  cache: 'Cache',
  services: 'Services',
}

const meanings: Readonly<Record<PipelineStep['step'], string>> = {
  client: 'Connections from clients',
  tls: 'TLS handshakes',
  guard: 'Requests are read whole; penalty box and addresses',
  route: 'Requests find their route, or nothing answers',
  auth: 'CORS, who is calling, may they, CSRF',
  limits: 'Rates, quotas and concurrency',
  shape: 'Size, type and schema of requests, and custom policies',
  cache: 'Answers that are at hand',
  services: 'Tries at the targets of services',
}

/** The way of exchanges through the gateway, with what passes and what is refused at each step. */
export function Pipeline({ steps }: { readonly steps: readonly PipelineStep[] }): VNode {
  const [chosen, choose] = useState<string>('')
  const step = steps.find((one) => one.step === chosen)
  return (
    <div class="pipeline">
      <ol>
        {steps.map((one) => (
          <li key={one.step}>
            <button
              type="button"
              class={one.refused > 0 ? 'step refusing' : 'step'}
              aria-expanded={chosen === one.step}
              title={meanings[one.step]}
              onClick={() => choose(chosen === one.step ? '' : one.step)}
            >
              <span class="step-name">{titles[one.step]}</span>
              <span class="step-rate">
                {rateText(one.rate)}
                <small>/s</small>
              </span>
              <span class="share" aria-hidden="true">
                <i style={{ width: `${shareOf(one)}%` }} />
              </span>
              <span class="step-foot">{one.refused > 0 ? `${rateText(one.refused)}/s refused` : noteOf(one)}</span>
            </button>
          </li>
        ))}
      </ol>
      {step !== undefined && (
        <div class="step-more">
          <p class="muted">{meanings[step.step]}.</p>
          <Table
            label={`What ${titles[step.step]} refused`}
            columns={[
              { title: 'By', cell: ({ policy }) => <code>{policy}</code> },
              { title: 'Reason', isWide: true, cell: ({ code }) => code },
              { title: 'Per second', isNumber: true, cell: ({ rate }) => rateText(rate) },
              { title: 'Since the start', isNumber: true, cell: ({ total }) => countText(total) },
              {
                title: '',
                cell: ({ policy, code }) =>
                  policy === 'connection' || policy === 'handshake' ? null : (
                    <a
                      href={
                        policy === 'fault'
                          ? `#/requests?code=${encodeURIComponent(code)}`
                          : `#/requests?policy=${encodeURIComponent(policy)}`
                      }
                    >
                      requests
                    </a>
                  ),
              },
            ]}
            rows={step.reasons}
            keyOf={({ policy, code }) => `${policy} ${code}`}
            empty="Nothing was refused here since the start."
          />
        </div>
      )}
    </div>
  )
}

/** How much of what came passed on, in percent. */
function shareOf({ rate, refused, step }: PipelineStep): number {
  const all = step === 'client' || step === 'tls' ? rate + refused : rate
  return all === 0 ? 0 : Math.max(0, Math.min(100, ((all - refused) / all) * 100))
}

function noteOf({ step, notes }: PipelineStep): string {
  if (step === 'client') return `${countText(notes['open'] ?? 0)} open`
  if (step === 'tls') return notes['resumed'] ? `${rateText(notes['resumed'])}/s resumed` : 'all pass'
  if (step === 'cache') return notes['answered'] ? `${rateText(notes['answered'])}/s answered` : 'none answered'
  if (step === 'services') return `${rateText(notes['tries'] ?? 0)}/s tries`
  const slow = Object.keys(notes).filter((note) => note.startsWith('over-budget:'))
  if (slow.length > 0) return `over budget: ${slow.map((note) => note.slice('over-budget:'.length)).join(', ')}`
  return 'all pass'
}
