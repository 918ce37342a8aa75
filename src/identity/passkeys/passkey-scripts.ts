/** What both scripts need: bytes to and from base64url, a post of JSON, and words for what went wrong. */
const shared = `
const box = document.querySelector('[data-passkey]')
if (!box || !window.PublicKeyCredential || !navigator.credentials) return
const note = box.querySelector('[role=alert]'), button = box.querySelector('button')
box.hidden = false
const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0))
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\\+/g, '-').replace(/\\//g, '_').replace(/=+$/, '')
const post = async (path, content) => {
  const answer = await fetch(path, { method: 'POST', headers: { accept: 'application/json', 'content-type': 'application/json' }, body: JSON.stringify(content ?? {}) })
  const said = await answer.json().catch(() => ({}))
  if (!answer.ok) throw Object.assign(new Error(said.detail || said.title || 'Something went wrong. Please try again.'), { isTold: true })
  return said
}
const attempt = async (run, words) => {
  note.hidden = true
  button.disabled = true
  try { await run() } catch (error) {
    note.textContent = error.isTold ? error.message : words[error.name] || words.other
    note.hidden = false
  } finally { button.disabled = false }
}`

/** Logs in by passkey from the login page, where the browser can; without it the button stays hidden. */
export const passkeyLoginScript = `(() => {${shared}
button.addEventListener('click', () => attempt(async () => {
  const { publicKey } = await post(box.dataset.passkey + '/options')
  publicKey.challenge = bytes(publicKey.challenge)
  const { id, rawId, type, response } = await navigator.credentials.get({ publicKey })
  const { clientDataJSON, authenticatorData, signature, userHandle } = response
  await post(box.dataset.passkey, { credential: { id, rawId: text(rawId), type, response: {
    clientDataJSON: text(clientDataJSON), authenticatorData: text(authenticatorData), signature: text(signature),
    userHandle: userHandle ? text(userHandle) : undefined } } })
  location.assign(box.dataset.next)
}, { other: 'No passkey was used. Please try again, or log in in another way.' }))
})()`

/** Adds a passkey from the account page, where the browser can. */
export const passkeyRegistrationScript = `(() => {${shared}
box.addEventListener('submit', (event) => {
  event.preventDefault()
  attempt(async () => {
    const { publicKey } = await post(box.dataset.passkey + '/options')
    publicKey.challenge = bytes(publicKey.challenge)
    publicKey.user.id = bytes(publicKey.user.id)
    for (const known of publicKey.excludeCredentials || []) known.id = bytes(known.id)
    const { id, rawId, type, response } = await navigator.credentials.create({ publicKey })
    const { clientDataJSON, attestationObject } = response
    await post(box.dataset.passkey, { name: box.elements.called.value, credential: { id, rawId: text(rawId), type, response: {
      clientDataJSON: text(clientDataJSON), attestationObject: text(attestationObject),
      transports: response.getTransports ? response.getTransports() : [] } } })
    location.assign(box.dataset.next)
  }, { InvalidStateError: 'This device has a passkey for you already.', other: 'No passkey was made. Please try again.' })
})
})()`
