import type { FunctionComponent, VNode } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { get, hasProof, signOut, whenSignedOut } from './api.ts'
import { ConfirmPlace } from './parts/confirm.tsx'
import { GatewayName } from './parts/gateway-name.ts'
import { SignIn } from './sign-in.tsx'
import { CacheView } from './views/cache.tsx'
import { ConfigView } from './views/config.tsx'
import { ExplainView } from './views/explain.tsx'
import { LimitsView } from './views/limits.tsx'
import { OverviewView } from './views/overview.tsx'
import { PenaltiesView } from './views/penalties.tsx'
import { RequestsView } from './views/requests.tsx'
import { RoutesView } from './views/routes.tsx'
import { ServicesView } from './views/services.tsx'
import { SessionsView } from './views/sessions.tsx'

/** A view gets what stands behind `?` in the fragment. */
export interface ViewProps {
  readonly query: URLSearchParams
}

const views: readonly { readonly path: string; readonly title: string; readonly view: FunctionComponent<ViewProps> }[] = [
  { path: 'overview', title: 'Overview', view: OverviewView },
  { path: 'requests', title: 'Requests', view: RequestsView },
  { path: 'explain', title: 'Explain', view: ExplainView },
  { path: 'routes', title: 'Routes', view: RoutesView },
  { path: 'services', title: 'Services', view: ServicesView },
  { path: 'limits', title: 'Limits', view: LimitsView },
  { path: 'penalties', title: 'Penalty box', view: PenaltiesView },
  { path: 'sessions', title: 'Sessions', view: SessionsView },
  { path: 'cache', title: 'Cache', view: CacheView },
  { path: 'config', title: 'Configuration', view: ConfigView },
]

/** The whole page. `error` is why a sign-in by link failed. */
export function App({ error }: { readonly error: string }): VNode {
  const [isSignedIn, setSignedIn] = useState(error === '' && hasProof())
  const place = usePlace()
  useEffect(() => whenSignedOut(() => setSignedIn(false)), [])
  useEffect(() => {
    // On a phone the views are a row that is longer than the screen.
    document.querySelector('nav [aria-current]')?.scrollIntoView({ inline: 'center', block: 'nearest' })
  }, [place.path])
  const { path, title, view: View } = views.find((one) => one.path === place.path) ?? views[0]
  const name = useGatewayName(isSignedIn)
  useEffect(() => {
    document.title = name === undefined ? 'Velum' : `${title} · ${name} · Velum`
  }, [title, name])
  if (!isSignedIn) return <SignIn error={error} signedIn={() => setSignedIn(true)} />
  return (
    <div class="frame">
      <a class="skip" href="#main" onClick={skip}>
        Skip to the content
      </a>
      <header class="side">
        <a class="brand" href="#/overview">
          <span class="mark" aria-hidden="true" />
          Velum
        </a>
        <nav aria-label="Views">
          {views.map((one) => (
            <a key={one.path} href={`#/${one.path}`} {...(one.path === path ? { 'aria-current': 'page' as const } : {})}>
              {one.title}
            </a>
          ))}
        </nav>
        <button type="button" class="quiet" onClick={() => void signOut()}>
          Sign out
        </button>
      </header>
      <main id="main" tabIndex={-1} aria-label={title}>
        <GatewayName.Provider value={name}>
          <View key={`${path}?${String(place.query)}`} query={place.query} />
        </GatewayName.Provider>
      </main>
      <ConfirmPlace />
    </div>
  )
}

/** A gateway keeps its name over reloads as a rule: it is read once, and again by whoever signs in anew. */
function useGatewayName(isSignedIn: boolean): string | undefined {
  const [name, setName] = useState<string>()
  useEffect(() => {
    if (!isSignedIn) return
    get<{ name: string }>('/api/config').then(
      (config) => setName(config.name),
      // The view says what is wrong.
      () => {},
    )
  }, [isSignedIn])
  return name
}

function skip(event: Event): void {
  event.preventDefault()
  document.getElementById('main')?.focus()
}

interface Place {
  readonly path: string
  readonly query: URLSearchParams
}

/** Where the fragment points to: `#/requests?status=4xx`. */
function usePlace(): Place {
  const [place, setPlace] = useState(placeNow)
  useEffect(() => {
    const moved = (): void => {
      setPlace(placeNow())
      window.scrollTo(0, 0)
    }
    addEventListener('hashchange', moved)
    return () => removeEventListener('hashchange', moved)
  }, [])
  return place
}

function placeNow(): Place {
  const [path = '', query = ''] = location.hash.replace(/^#\/?/, '').split('?', 2)
  return { path, query: new URLSearchParams(query) }
}
