import { render } from 'preact'
import { signIn } from './api.ts'
import { App } from './app.tsx'
import './styles.css'

// The link that `npm start` prints carries the token in its fragment, which no server sees. It is exchanged, and gone
// from the address bar and the history before anything else happens.
async function signInByLink(): Promise<string> {
  const token = new URLSearchParams(location.hash.slice(1)).get('token')
  if (token === null) return ''
  history.replaceState(null, '', location.pathname)
  try {
    await signIn(token)
    return ''
  } catch (thrown) {
    return (thrown as Error).message
  }
}

const error = await signInByLink()
render(<App error={error} />, document.getElementById('app')!)
