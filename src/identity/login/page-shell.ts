import { createHash } from 'node:crypto'
import { Answer } from '../../core/answer.ts'
import { textBody } from '../../core/body.ts'
import type { HeaderBlock } from '../../core/headers.ts'
import { headerBlock, Headers } from '../../core/headers.ts'

/** What pages of one kind have besides the common look. */
export interface PageKind {
  /** Further CSS. */
  readonly style?: string | undefined
  /** One script of our own, at the end of the page. The page has to be of use without it. */
  readonly script?: string | undefined
}

/** One page; both are HTML, so everything that somebody else wrote must be `escaped`. */
export interface PageContent {
  readonly title: string
  /** What stands in the sheet. */
  readonly main: string
  /** More in the head. */
  readonly head?: string | undefined
}

/** Makes answers of one kind of page. */
export type Page = (status: number, content: PageContent) => Answer

const commonStyle = `
:root { color-scheme: light dark; --ground: #eef1f5; --sheet: #fff; --ink: #16202c; --soft: #55606e; --line: #c3cad3;
  --field: #fff; --accent: #1f5fbf; --accent-ink: #fff; --accent-hover: #184e9f; --bad: #a3261b; --bad-ground: #fcefed; --wait: #7a5200; --wait-ground: #fdf5e2;
  --good: #17603a; --good-ground: #e9f6ee }
@media (prefers-color-scheme: dark) { :root { --ground: #10151c; --sheet: #19212b; --ink: #e8edf3; --soft: #a3b0bf; --line: #3d4a59;
  --field: #111820; --accent: #7db1ff; --accent-ink: #0c1a2e; --accent-hover: #9cc4ff; --bad: #ffb0a6; --bad-ground: #3a1d1a; --wait: #ffd98a; --wait-ground: #372b10;
  --good: #9be3b8; --good-ground: #14301f } }
* { box-sizing: border-box }
[hidden] { display: none !important }
body { margin: 0; min-height: 100vh; min-height: 100svh; display: grid; place-items: center; padding: 1.5rem; background: var(--ground); color: var(--ink);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif }
main { width: 100%; max-width: 24rem; background: var(--sheet); border: 1px solid var(--line); border-radius: .75rem; padding: 2rem }
main > svg { display: block; width: 2.5rem; height: 2.5rem; color: var(--accent) }
h1 { margin: 1rem 0 0; font-size: 1.5rem; line-height: 1.25; font-weight: 650 }
.place { margin: .25rem 0 1.5rem; color: var(--soft); overflow-wrap: anywhere }
.message { margin: 0 0 1.25rem; padding: .75rem .875rem; border-radius: .5rem; border-left: 4px solid; overflow-wrap: anywhere }
.message.after { margin: .75rem 0 0 }
.wrong, .failed { color: var(--bad); background: var(--bad-ground) }
.locked, .busy { color: var(--wait); background: var(--wait-ground) }
.done { color: var(--good); background: var(--good-ground) }
label { display: block; margin: 0 0 .375rem; font-weight: 600 }
input { display: block; width: 100%; margin: 0 0 1.125rem; padding: .625rem .75rem; font: inherit; color: inherit; background: var(--field);
  border: 1px solid var(--soft); border-radius: .5rem }
button, a.button { display: block; width: 100%; margin-top: 1.5rem; padding: .6875rem 1rem; font: inherit; font-weight: 650; text-align: center; text-decoration: none;
  color: var(--accent-ink); background: var(--accent); border: 1px solid transparent; border-radius: .5rem; cursor: pointer; overflow-wrap: anywhere }
button:hover, a.button:hover { background: var(--accent-hover) }
button.plain, a.button.plain { margin-top: .75rem; color: var(--ink); background: var(--field); border-color: var(--soft) }
button.plain:hover, a.button.plain:hover { background: var(--ground) }
.or { display: flex; align-items: center; gap: .75rem; margin: 1.5rem 0 0; color: var(--soft) }
.or::before, .or::after { content: ""; flex: 1; border-top: 1px solid var(--line) }
a { color: var(--accent) }
input:focus-visible, button:focus-visible, a:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
@media (max-width: 26rem) { body { padding: 0; place-items: stretch; background: var(--sheet) } main { max-width: none; border: 0; border-radius: 0; padding: 1.5rem } }
@media (forced-colors: active) { .message { border: 2px solid } button, a.button { border-color: currentColor } }
`

/** Velum's mark, for the top of a sheet. */
export const mark =
  '<svg viewBox="0 0 40 40" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="3" stroke-linecap="round"><path d="M10 4c8 10 8 22 0 32"/><path d="M18 4c8 10 8 22 0 32" opacity=".5"/><path d="M2 20h35m-6-6 6 6-6 6"/></svg>'

/**
 * Declares a kind of page in the look that all of Velum's share, light and dark. Its policy lets in nothing but the style and
 * the script given here, by hash; a script may ask this origin alone, and no page can be framed or kept.
 */
export function definePage({ style = '', script }: PageKind = {}): Page {
  const styles = commonStyle + style
  const headers = pageHeaders(styles, script)
  const end = script === undefined ? '' : `<script>${script}</script>\n`
  return (status, { title, main, head = '' }) => {
    const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
${head}<title>${title}</title>
<style>${styles}</style>
</head>
<body>
<main>
${main}
</main>
${end}</body>
</html>
`
    const own = new Headers()
    own.put(headers)
    return new Answer(status, own, textBody(html))
  }
}

function pageHeaders(style: string, script: string | undefined): HeaderBlock {
  const scripted = script === undefined ? '' : `script-src '${hashOf(script)}'; connect-src 'self'; `
  return headerBlock([
    ['content-type', 'text/html; charset=utf-8'],
    ['cache-control', 'no-store'],
    [
      'content-security-policy',
      `default-src 'none'; ${scripted}style-src '${hashOf(style)}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'`,
    ],
    ['x-content-type-options', 'nosniff'],
    ['x-frame-options', 'DENY'],
    // With "no-referrer", browsers would send forms with Origin: null.
    ['referrer-policy', 'same-origin'],
    ['cross-origin-opener-policy', 'same-origin'],
  ])
}

function hashOf(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`
}

const passing = definePage()

/**
 * A page that goes on to `address` by itself. A redirect would not do: to browsers it belongs to the site that the request came
 * from (a strict cookie stays at home), and `form-action` holds for it too.
 */
export function passingAnswer(address: string): Answer {
  const to = escaped(address)
  return passing(200, {
    title: 'One moment',
    head: `<meta http-equiv="refresh" content="0; url=${to}">\n`,
    main: `${mark}\n<h1>One moment</h1>\n<p>If nothing happens, please <a href="${to}">go on</a>.</p>`,
  })
}

/** A text as it has to stand in HTML, in quotes or between tags. */
export function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;')
}
