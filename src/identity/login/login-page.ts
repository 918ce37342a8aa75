import type { Answer } from '../../core/answer.ts'
import { passkeyLoginScript } from '../passkeys/passkey-scripts.ts'
import { definePage, escaped, mark } from './page-shell.ts'

/** What a login page says besides asking. */
export interface LoginPage {
  /** Where one is logging in: a host name. */
  readonly place: string
  /** Where the form goes. */
  readonly action: string
  readonly returnTo: string | undefined
  /** What was typed before. */
  readonly userName: string
  /** `wrong`: what was typed; `failed`: something else that did not work. */
  readonly message: { readonly kind: 'wrong' | 'failed' | 'locked' | 'busy'; readonly text: string } | undefined
  /** Where one can log in instead. */
  readonly providers: readonly ProviderButton[]
  /** Where passkeys are judged; undefined where nobody has any. */
  readonly passkeyPath: string | undefined
}

/** A way to log in at a provider. */
export interface ProviderButton {
  readonly label: string
  /** The path that leads there. */
  readonly path: string
}

const page = definePage()
const pageWithPasskeys = definePage({ script: passkeyLoginScript })

/**
 * The login page: one form, and links to providers. Without passkeys it has no script, and a policy that lets none in; with
 * them, their button shows where the browser can use them.
 */
export function loginPageAnswer(status: number, login: LoginPage): Answer {
  const { place, action, returnTo, userName, message } = login
  const isWrong = message?.kind === 'wrong'
  const note =
    message === undefined ? '' : `<p class="message ${message.kind}" id="note" role="alert">${escaped(message.text)}</p>\n`
  const about = isWrong ? ' aria-invalid="true" aria-describedby="note"' : ''
  const [nameFocus, passwordFocus] = userName === '' ? [' autofocus', ''] : ['', ' autofocus']
  return (login.passkeyPath === undefined ? page : pageWithPasskeys)(status, {
    title: `${message === undefined ? '' : 'Not logged in: '}Log in to ${escaped(place)}`,
    main: `${mark}
<h1>Log in</h1>
<p class="place">to ${escaped(place)}</p>
${note}<form method="post" action="${escaped(action)}">
${returnTo === undefined ? '' : `<input type="hidden" name="return_to" value="${escaped(returnTo)}">\n`}<label for="username">User name</label>
<input id="username" name="username" type="text" autocomplete="username" autocapitalize="none" autocorrect="off" spellcheck="false" maxlength="128" required value="${escaped(userName)}"${about}${nameFocus}>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" maxlength="1024" required${about}${passwordFocus}>
<button type="submit">Log in</button>
</form>${buttons(login)}`,
  })
}

/** What one can log in by instead. Without a script, a browser shows no passkeys. */
function buttons({ providers, passkeyPath, returnTo }: LoginPage): string {
  const or = '<p class="or">or</p>'
  const passkeys =
    passkeyPath === undefined
      ? ''
      : `<div data-passkey="${escaped(passkeyPath)}" data-next="${escaped(returnTo ?? '/')}" hidden>
${providers.length === 0 ? `${or}\n` : ''}<button type="button" class="plain">Sign in with a passkey</button>
<p class="message failed after" role="alert" hidden></p>
</div>
`
  if (providers.length === 0) return passkeys === '' ? '' : `\n${passkeys}`
  const query = returnTo === undefined ? '' : `?return_to=${encodeURIComponent(returnTo)}`
  // Links and no form: where they lead redirects to another site, which `form-action` would stop.
  const links = providers.map(
    ({ label, path }) => `<a class="button plain" href="${escaped(path + query)}" rel="nofollow">Log in with ${escaped(label)}</a>`,
  )
  return `\n${or}\n${passkeys}${links.join('\n')}`
}
