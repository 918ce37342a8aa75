import type { ComponentChildren, VNode } from 'preact'
import { useContext } from 'preact/hooks'
import { GatewayName } from './gateway-name.ts'

/** A titled part of a view. */
export function Panel(props: {
  readonly title?: ComponentChildren
  readonly aside?: ComponentChildren
  readonly isFlush?: boolean
  readonly children: ComponentChildren
}): VNode {
  return (
    <section class={props.isFlush === true ? 'panel flush' : 'panel'}>
      {(props.title !== undefined || props.aside !== undefined) && (
        <header>
          <h2>{props.title}</h2>
          {props.aside !== undefined && <div class="aside">{props.aside}</div>}
        </header>
      )}
      {props.children}
    </section>
  )
}

/** The head of a view; it says whose gateway is seen. */
export function ViewHead(props: {
  readonly title: string
  readonly text?: ComponentChildren
  readonly children?: ComponentChildren
}): VNode {
  const name = useContext(GatewayName)
  return (
    <div class="view-head">
      <div>
        {name !== undefined && <p class="eyebrow">gateway {name}</p>}
        <h1>{props.title}</h1>
        {props.text !== undefined && <p class="muted">{props.text}</p>}
      </div>
      {props.children !== undefined && <div class="tools">{props.children}</div>}
    </div>
  )
}

/** What stands where there is nothing to show, or not yet. */
export function Waiting(props: { readonly error: Error | undefined; readonly of: unknown }): VNode | null {
  if (props.error !== undefined) {
    return (
      <p class="notice bad" role="alert">
        {props.error.message}
      </p>
    )
  }
  return props.of === undefined ? <p class="notice muted">Loading…</p> : null
}

/** A short word with a colour that is never its only meaning. */
export function Badge(props: { readonly tone: 'good' | 'warn' | 'bad' | 'plain'; readonly children: ComponentChildren }): VNode {
  return <span class={`badge ${props.tone}`}>{props.children}</span>
}
