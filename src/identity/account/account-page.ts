import type { Answer } from '../../core/answer.ts'
import { deviceName } from '../device-name.ts'
import { definePage, escaped, mark } from '../login/page-shell.ts'
import { passkeyRegistrationScript } from '../passkeys/passkey-scripts.ts'
import type { PasskeyRow } from '../passkeys/passkey-messages.ts'
import type { SessionRow } from '../sessions.ts'
import type { AccountView } from './account-view.ts'

/** A word at the top of the page about what was just done, or could not be. */
export interface AccountNote {
  readonly kind: 'done' | 'failed'
  readonly text: string
}

const style = `
body { place-items: start center }
main { max-width: 44rem }
header { display: flex; flex-wrap: wrap; align-items: center; gap: .75rem 1rem; margin-bottom: 1.5rem }
header svg { width: 2.5rem; height: 2.5rem; color: var(--accent); flex: none }
header div { flex: 1; min-width: 10rem }
h1 { margin: 0 }
.place { margin: 0 }
h2 { margin: 0; font-size: 1.125rem; line-height: 1.35; font-weight: 650 }
section { margin-top: 2rem; padding-top: 1.5rem; border-top: 1px solid var(--line) }
section > p { margin: .375rem 0 0; color: var(--soft) }
ul { list-style: none; margin: 1rem 0 0; padding: 0 }
li { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: .25rem 1rem; align-items: center; padding: .875rem 0; border-top: 1px solid var(--line) }
li:first-child { border-top: 0 }
.title { margin: 0 }
.name { font-weight: 600; overflow-wrap: anywhere }
.facts { margin: 0; color: var(--soft); font-size: .9375rem; overflow-wrap: anywhere }
.here, .bad { display: inline-block; margin-left: .375rem; padding: 0 .5rem; border-radius: 1rem; font-size: .8125rem; font-weight: 600; white-space: nowrap }
.here { color: var(--good); background: var(--good-ground) }
.bad { color: var(--bad); background: var(--bad-ground) }
.row { display: flex; flex-wrap: wrap; gap: .75rem; margin-top: 1rem }
button, button.plain, a.button, a.button.plain { width: auto; margin: 0; padding: .5rem .875rem; font-weight: 600 }
button.grave { color: var(--bad); background: var(--field); border-color: currentColor }
button.grave:hover { background: var(--bad-ground) }
details { grid-column: 1 / -1 }
summary { width: fit-content; color: var(--accent); cursor: pointer; border-radius: .25rem }
summary:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
.change { display: flex; flex-wrap: wrap; gap: .75rem; align-items: end; margin-top: .75rem }
.change > div { flex: 1 1 14rem }
.of { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap }
time { white-space: nowrap }
::placeholder { color: var(--soft); opacity: 1 }
.change p { flex-basis: 100%; margin: 0 }
input { margin: 0; padding: .5rem .75rem }
@media (max-width: 34rem) { body { padding: 0; background: var(--sheet) } main { max-width: none; border: 0; border-radius: 0; padding: 1.25rem }
  li > div { display: contents } li > form { grid-area: 1 / 2 } .title { grid-area: 1 / 1 } .facts { grid-column: 1 / -1 }
  .row > *, .row button { width: 100% } }
@media (forced-colors: active) { .here, .bad { border: 1px solid } }
`

const page = definePage({ style })
const pageWithPasskeys = definePage({ style, script: passkeyRegistrationScript })

/** The account page: where somebody is logged in, their passkeys and providers. All of it but adding a passkey is plain forms. */
export function accountPageAnswer(status: number, view: AccountView, note: AccountNote | undefined): Answer {
  const { path, place, passkeys } = view
  const role = note?.kind === 'failed' ? 'alert' : 'status'
  const words = note === undefined ? '' : `<p class="message ${note.kind}" role="${role}">${escaped(note.text)}</p>\n`
  const make = passkeys === undefined ? page : pageWithPasskeys
  return make(status, {
    title: `${note?.kind === 'failed' ? 'Not done: ' : ''}Your account at ${escaped(place)}`,
    main: `<header>
${mark}
<div><h1>Your account</h1><p class="place">${escaped(whoAt(view))}</p></div>
<form method="post" action="${escaped(path)}/logout"><input type="hidden" name="return_to" value="${escaped(path)}/login"><button type="submit" class="plain">Log out</button></form>
</header>
${words}${sessionsPart(view)}${passkeysPart(view)}${providersPart(view)}`,
  })
}

function whoAt({ userName, providers, subject, place }: AccountView): string {
  if (userName !== undefined) return `${userName} at ${place}`
  return providers.length > 0 ? `At ${place}, by ${providers.join(', ')}` : `${subject} at ${place}`
}

function sessionsPart(view: AccountView): string {
  const { sessions, session } = view
  const others = sessions.filter(({ id }) => id !== session).length
  const all = `<button type="submit" name="do" value="end-all" class="grave">Log out everywhere</button>`
  const rest = others === 0 ? '' : `<button type="submit" name="do" value="end-others" class="plain">Log out all others</button>`
  return `<section aria-labelledby="sessions">
<h2 id="sessions">Where you are logged in</h2>
<p>Something you do not know? Log it out, and have your password changed.</p>
<ul>
${sessions.map((row) => sessionItem(row, view)).join('\n')}
</ul>
<form method="post" action="${actionOf(view)}" class="row">${rest}${all}</form>
</section>
`
}

function sessionItem({ id, kind, device, address, startedAt, lastSeenAt }: SessionRow, view: AccountView): string {
  const isHere = id === view.session
  const name = escaped(deviceName(device))
  const badge = isHere ? ' <span class="here">this device</span>' : ''
  const end = isHere
    ? ''
    : `<form method="post" action="${actionOf(view)}"><input type="hidden" name="id" value="${escaped(id)}"><button type="submit" name="do" value="end" class="plain" aria-label="Log out ${name}">Log out</button></form>`
  return `<li><div><p class="title"><span class="name" title="${escaped(device)}">${name}</span>${badge}</p>
<p class="facts">Last seen ${time(lastSeenAt)} from ${escaped(address)}</p>
<p class="facts">${kind === 'tokens' ? 'An app, logged' : 'Logged'} in ${time(startedAt)}</p></div>
${end}</li>`
}

function passkeysPart(view: AccountView): string {
  const { passkeys, providers } = view
  if (passkeys === undefined) return ''
  const about =
    providers.length > 0
      ? `Your passkeys belong to ${escaped(providers.join(', '))}, where you log in.`
      : 'With a passkey you log in by fingerprint, face, or the PIN of your device, and no other site can get hold of it.'
  const list = passkeys.length === 0 ? '' : `\n<ul>\n${passkeys.map((row) => passkeyItem(row, view)).join('\n')}\n</ul>`
  return `<section aria-labelledby="passkeys">
<h2 id="passkeys">Passkeys</h2>
<p>${about}</p>${list}
${providers.length > 0 ? '' : addition(view)}</section>
`
}

function passkeyItem({ id, name, createdAt, usedAt, isSynced, isBlocked }: PasskeyRow, view: AccountView): string {
  const used = usedAt === undefined ? 'never used' : `last used ${time(usedAt)}`
  const hidden = `<input type="hidden" name="id" value="${escaped(id)}">`
  const badge = isBlocked ? ' <span class="bad">blocked: there may be a copy of it</span>' : ''
  const remove = view.isRecent
    ? `<button type="submit" name="do" value="remove-passkey" class="grave" formnovalidate aria-label="Remove ${escaped(name)}">Remove</button>`
    : ''
  return `<li><div><p class="title"><span class="name">${escaped(name)}</span>${badge}</p>
<p class="facts">Added ${time(createdAt)}, ${used}${isSynced ? ', kept by your passkey service' : ''}</p></div>
<details><summary>Change<span class="of"> ${escaped(name)}</span></summary>
<form method="post" action="${actionOf(view)}" class="change">${hidden}<div><label for="n-${escaped(id)}">Name</label>
<input id="n-${escaped(id)}" name="name" type="text" maxlength="64" required value="${escaped(name)}"></div>
<button type="submit" name="do" value="rename-passkey" class="plain">Rename</button>${remove}</form>
</details></li>`
}

function addition(view: AccountView): string {
  const { path, isRecent } = view
  if (!isRecent) {
    const again = `${path}/login?return_to=${encodeURIComponent(`${path}/account`)}`
    return `<div class="row"><a class="button plain" href="${escaped(again)}">Log in again to add or remove passkeys</a></div>\n`
  }
  return `<noscript><p>Adding a passkey needs JavaScript.</p></noscript>
<form class="change" data-passkey="${escaped(path)}/passkey/register" data-next="${escaped(path)}/account?done=passkey-added" hidden>
<div><label for="called">Name of the new passkey</label>
<input id="called" name="called" type="text" maxlength="64" placeholder="This device" autocomplete="off"></div>
<button type="submit">Add a passkey</button>
<p class="message failed" role="alert" hidden></p>
</form>
`
}

function providersPart({ providers }: AccountView): string {
  if (providers.length === 0) return ''
  const items = providers.map((label) => `<li><span class="name">${escaped(label)}</span></li>`)
  return `<section aria-labelledby="providers">
<h2 id="providers">Linked providers</h2>
<p>You log in here with your account there. It also says what you may do here.</p>
<ul>
${items.join('\n')}
</ul>
</section>
`
}

function actionOf({ path }: AccountView): string {
  return `${escaped(path)}/account`
}

const words = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'short', timeZone: 'UTC' })

function time(at: number): string {
  const date = new Date(at)
  return `<time datetime="${date.toISOString()}">${words.format(date)} UTC</time>`
}
