import type { VNode } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { call } from '../api.ts'
import type { ViewProps } from '../app.tsx'
import type { Explanation } from '../documents.ts'
import { Panel, ViewHead } from '../parts/panel.tsx'
import { Table } from '../parts/table.tsx'
import { Verdicts } from '../parts/verdicts.tsx'

const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'] as const
type TextName = 'url' | 'address' | 'listener' | 'subject' | 'kind' | 'tenant' | 'scopes' | 'roles' | 'claims'

/** Asks what the gateway would do with a request: every policy is asked, nothing is charged, minted or sent. */
export function ExplainView({ query }: ViewProps): VNode {
  const [told, setTold] = useState<Explanation>()
  const [error, setError] = useState('')
  const [isAsking, setAsking] = useState(false)
  const ask = async (asked: FormData): Promise<void> => {
    setAsking(true)
    setError('')
    try {
      setTold((await call('POST', '/api/explain', questionOf(asked))) as Explanation)
    } catch (thrown) {
      setTold(undefined)
      setError((thrown as Error).message)
    }
    setAsking(false)
  }
  // A link that names a request asks at once.
  useEffect(() => {
    if (!query.has('url')) return
    const asked = new FormData()
    for (const [name, value] of query) asked.set(name, value)
    void ask(asked)
  }, [])
  return (
    <>
      <ViewHead
        title="Explain"
        text="What would be decided about a request, by whom, and where that stands; nothing is sent or charged"
      />
      <Panel>
        <form
          class="question"
          onSubmit={(event) => {
            event.preventDefault()
            void ask(new FormData(event.currentTarget))
          }}
        >
          <label>
            Method
            <select name="method">
              {methods.map((method) => (
                <option key={method} selected={method === query.get('method')}>
                  {method}
                </option>
              ))}
            </select>
          </label>
          <Field name="url" title="Path or URL" placeholder="/orders/17" query={query} isWide />
          <Field name="address" title="From" placeholder="127.0.0.1" query={query} />
          <details open={query.has('subject') || query.has('headers')}>
            <summary>Caller, headers, content</summary>
            <div class="question">
              <Field name="subject" title="Subject" placeholder="whoever the headers prove" query={query} />
              <Field name="tenant" title="Tenant" query={query} />
              <Field name="scopes" title="Scopes" placeholder="a b" query={query} />
              <Field name="roles" title="Roles" placeholder="a b" query={query} />
              <Field name="kind" title="Credential" placeholder="bearer" query={query} />
              <Field name="claims" title="Claims" placeholder='{"level":3}' query={query} />
              <Field name="listener" title="Listener" query={query} />
              <label class="whole">
                Headers, one a line
                <textarea name="headers" rows={3} spellcheck={false} placeholder="accept: application/json">
                  {query.get('headers') ?? ''}
                </textarea>
              </label>
              <label class="whole">
                Content
                <textarea name="body" rows={2} spellcheck={false}>
                  {query.get('body') ?? ''}
                </textarea>
              </label>
            </div>
          </details>
          <button type="submit" class="primary" disabled={isAsking}>
            Explain
          </button>
        </form>
      </Panel>
      {error !== '' && (
        <p class="notice bad" role="alert">
          {error}
        </p>
      )}
      {told !== undefined && <Told told={told} />}
    </>
  )
}

function Field(props: {
  readonly name: TextName
  readonly title: string
  readonly placeholder?: string
  readonly query: URLSearchParams
  readonly isWide?: boolean
}): VNode {
  const { name, title, placeholder = '', query, isWide = false } = props
  return (
    <label class={isWide ? 'grow' : ''}>
      {title}
      <input
        name={name}
        value={query.get(name) ?? ''}
        placeholder={placeholder}
        required={name === 'url'}
        autocomplete="off"
        spellcheck={false}
      />
    </label>
  )
}

function questionOf(asked: FormData): unknown {
  const whole = (name: string): string => {
    const value = asked.get(name)
    return typeof value === 'string' ? value : ''
  }
  const text = (name: string): string => whole(name).trim()
  const given = (name: string): Record<string, string> => (text(name) === '' ? {} : { [name]: text(name) })
  const listed = (name: string): Record<string, string[]> =>
    text(name) === ''
      ? {}
      : {
          [name]: text(name)
            .split(/[\s,]+/)
            .filter((one) => one !== ''),
        }
  const lines = text('headers')
    .split('\n')
    .filter((line) => line.trim() !== '')
  return {
    method: text('method') || 'GET',
    url: text('url'),
    headers: lines.map((line) => {
      const colon = line.indexOf(':')
      return [line.slice(0, Math.max(0, colon)).trim(), line.slice(colon + 1).trim()]
    }),
    ...given('address'),
    ...given('listener'),
    ...(whole('body') === '' ? {} : { body: whole('body') }),
    ...(text('subject') === ''
      ? {}
      : {
          caller: {
            ...given('subject'),
            ...given('kind'),
            ...given('tenant'),
            ...listed('scopes'),
            ...listed('roles'),
            ...(text('claims') === '' ? {} : { claims: JSON.parse(text('claims')) as unknown }),
          },
        }),
  }
}

function Told({ told }: { readonly told: Explanation }): VNode {
  const { outcome, route, identity, nearMisses, notes, request } = told
  const tone = outcome === undefined ? 'good' : outcome.decision === 'answers' ? '' : 'bad'
  return (
    <div class="told" aria-live="polite">
      <Panel title={`${request.method} ${request.scheme}://${request.host}${request.path}`}>
        <p class={`summary ${tone}`} data-of="outcome">
          {told.summary}
        </p>
        <dl class="facts">
          {outcome !== undefined && (
            <>
              <dt>Decided by</dt>
              <dd>
                {outcome.policy} <span class="muted">{outcome.code}</span>
              </dd>
              <dt>Stands at</dt>
              <dd>
                <code>{outcome.source || 'built in'}</code>
              </dd>
            </>
          )}
          <dt>Route</dt>
          <dd>
            {route === undefined ? (
              'none'
            ) : (
              <>
                {route.name} <code>{route.source}</code>
              </>
            )}
          </dd>
          <dt>Caller</dt>
          <dd>
            {identity === undefined
              ? `nobody known, from ${request.address}`
              : `${identity.subject} by ${identity.kind}${identity.isAssumed ? ', assumed' : ''}, from ${request.address}`}
          </dd>
          {notes.map((note) => (
            <>
              <dt>Note</dt>
              <dd>{note}</dd>
            </>
          ))}
        </dl>
      </Panel>
      <Panel title="Every policy, in order" isFlush>
        <Verdicts of={told.steps} />
      </Panel>
      {nearMisses.length > 0 && (
        <Panel title="Routes that were nearly found" isFlush>
          <Table
            label="Other routes"
            columns={[
              { title: 'Route', cell: ({ route: name }) => <span class="tight">{name}</span> },
              { title: 'Why not', isWide: true, cell: ({ why }) => why.join('; ') },
              { title: 'Stands at', cell: ({ source }) => <code>{source}</code> },
            ]}
            rows={nearMisses}
            keyOf={({ source }) => source}
            empty=""
          />
        </Panel>
      )}
    </div>
  )
}
