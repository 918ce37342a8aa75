import type { VNode } from 'preact'
import { useState } from 'preact/hooks'
import { signIn } from './api.ts'

/** Asks for the admin token. */
export function SignIn(props: { readonly error: string; readonly signedIn: () => void }): VNode {
  const [token, setToken] = useState('')
  const [error, setError] = useState(props.error)
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault()
    try {
      await signIn(token.trim())
      props.signedIn()
    } catch (thrown) {
      setError((thrown as Error).message)
    }
  }
  return (
    <main class="sign-in">
      <form onSubmit={(event) => void submit(event)}>
        <h1>Velum</h1>
        <label>
          Admin token
          <input
            type="password"
            autocomplete="off"
            required
            autofocus
            value={token}
            onInput={(event) => setToken(event.currentTarget.value)}
          />
        </label>
        {error !== '' && (
          <p class="error" role="alert">
            {error}
          </p>
        )}
        <button type="submit" class="primary">
          Sign in
        </button>
        <p class="muted">
          It lies in <code>admin.token</code> in the store's folder, or is <code>VELUM_ADMIN_TOKEN</code>.
        </p>
      </form>
    </main>
  )
}
