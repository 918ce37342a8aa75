import { createHash } from 'node:crypto'
import { Answer } from '../../core/answer.ts'
import { textBody } from '../../core/body.ts'
import { headerBlock, Headers } from '../../core/headers.ts'

/** What a login page says besides asking. */
export interface LoginPage {
  /** Where one is logging in: a host name. */
  readonly place: string
  /** Where the form goes. */
  readonly action: string
  readonly returnTo: string | undefined
  /** What was typed before. */
  readonly userName: string
  readonly message: { readonly kind: 'wrong' | 'locked' | 'busy'; readonly text: string } | undefined
}

const style = `
:root { color-scheme: light dark; --ground: #eef1f5; --sheet: #fff; --ink: #16202c; --soft: #55606e; --line: #c3cad3;
  --field: #fff; --accent: #1f5fbf; --accent-ink: #fff; --accent-hover: #184e9f; --bad: #a3261b; --bad-ground: #fcefed; --wait: #7a5200; --wait-ground: #fdf5e2 }
@media (prefers-color-scheme: dark) { :root { --ground: #10151c; --sheet: #19212b; --ink: #e8edf3; --soft: #a3b0bf; --line: #3d4a59;
  --field: #111820; --accent: #7db1ff; --accent-ink: #0c1a2e; --accent-hover: #9cc4ff; --bad: #ffb0a6; --bad-ground: #3a1d1a; --wait: #ffd98a; --wait-ground: #372b10 } }
* { box-sizing: border-box }
body { margin: 0; min-height: 100vh; min-height: 100svh; display: grid; place-items: center; padding: 1.5rem; background: var(--ground); color: var(--ink);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif }
main { width: 100%; max-width: 24rem; background: var(--sheet); border: 1px solid var(--line); border-radius: .75rem; padding: 2rem }
svg { display: block; width: 2.5rem; height: 2.5rem; color: var(--accent) }
h1 { margin: 1rem 0 0; font-size: 1.5rem; line-height: 1.25; font-weight: 650 }
.place { margin: .25rem 0 1.5rem; color: var(--soft); overflow-wrap: anywhere }
.message { margin: 0 0 1.25rem; padding: .75rem .875rem; border-radius: .5rem; border-left: 4px solid; overflow-wrap: anywhere }
.wrong { color: var(--bad); background: var(--bad-ground) }
.locked, .busy { color: var(--wait); background: var(--wait-ground) }
label { display: block; margin: 0 0 .375rem; font-weight: 600 }
input { display: block; width: 100%; margin: 0 0 1.125rem; padding: .625rem .75rem; font: inherit; color: inherit; background: var(--field);
  border: 1px solid var(--soft); border-radius: .5rem }
button { display: block; width: 100%; margin-top: 1.5rem; padding: .6875rem 1rem; font: inherit; font-weight: 650; color: var(--accent-ink);
  background: var(--accent); border: 1px solid transparent; border-radius: .5rem; cursor: pointer }
button:hover { background: var(--accent-hover) }
input:focus-visible, button:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
@media (max-width: 26rem) { body { padding: 0; place-items: stretch; background: var(--sheet) } main { max-width: none; border: 0; border-radius: 0; padding: 1.5rem } }
@media (forced-colors: active) { .message { border: 2px solid } }
`
const styleHash = createHash('sha256').update(style).digest('base64')

const headers = headerBlock([
  ['content-type', 'text/html; charset=utf-8'],
  ['cache-control', 'no-store'],
  [
    'content-security-policy',
    `default-src 'none'; style-src 'sha256-${styleHash}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'`,
  ],
  ['x-content-type-options', 'nosniff'],
  ['x-frame-options', 'DENY'],
  // With "no-referrer", browsers would send the form with Origin: null.
  ['referrer-policy', 'same-origin'],
  ['cross-origin-opener-policy', 'same-origin'],
])

const mark =
  '<svg viewBox="0 0 40 40" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="3" stroke-linecap="round"><path d="M10 4c8 10 8 22 0 32"/><path d="M18 4c8 10 8 22 0 32" opacity=".5"/><path d="M2 20h35m-6-6 6 6-6 6"/></svg>'

/** The login page: one form, no script, and a policy that lets none in. */
export function loginPageAnswer(status: number, page: LoginPage): Answer {
  const { place, action, returnTo, userName, message } = page
  const isWrong = message?.kind === 'wrong'
  const note =
    message === undefined ? '' : `<p class="message ${message.kind}" id="note" role="alert">${escaped(message.text)}</p>\n`
  const about = isWrong ? ' aria-invalid="true" aria-describedby="note"' : ''
  const [nameFocus, passwordFocus] = userName === '' ? [' autofocus', ''] : ['', ' autofocus']
  const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${message === undefined ? '' : 'Not logged in: '}Log in to ${escaped(place)}</title>
<style>${style}</style>
</head>
<body>
<main>
${mark}
<h1>Log in</h1>
<p class="place">to ${escaped(place)}</p>
${note}<form method="post" action="${escaped(action)}">
${returnTo === undefined ? '' : `<input type="hidden" name="return_to" value="${escaped(returnTo)}">\n`}<label for="username">User name</label>
<input id="username" name="username" type="text" autocomplete="username" autocapitalize="none" autocorrect="off" spellcheck="false" maxlength="128" required value="${escaped(userName)}"${about}${nameFocus}>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" maxlength="1024" required${about}${passwordFocus}>
<button type="submit">Log in</button>
</form>
</main>
</body>
</html>
`
  const own = new Headers()
  own.put(headers)
  return new Answer(status, own, textBody(html))
}

function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;')
}
