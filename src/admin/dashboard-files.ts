import { readFileSync, readdirSync } from 'node:fs'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Answer, textAnswer } from '../core/answer.ts'
import { BytesBody } from '../core/body.ts'
import type { Exchange } from '../core/exchange.ts'
import type { HeaderBlock } from '../core/headers.ts'
import { Headers, headerBlock } from '../core/headers.ts'
import { httpProblem } from '../core/problem.ts'
import type { Endpoint } from './endpoint.ts'
import { pathOf } from './endpoint.ts'

/** Where the built dashboard lies: beside this module in the published package, in `dist` in a checkout. */
export const dashboardFolder: string = fileURLToPath(
  new URL(import.meta.filename.endsWith('.ts') ? '../../dist/dashboard' : '../dashboard', import.meta.url),
)

const unbuilt = `Velum's dashboard is not built here.

In a checkout, run this once and load the page again:

  npm run build:dashboard

The admin API works without it: all the dashboard shows and does is at /api as well.
`

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
}

/** One file in the codings it is kept in. */
interface Served {
  readonly headers: HeaderBlock
  readonly plain: Buffer
  readonly coded: ReadonlyMap<string, Buffer>
}

const codings = [
  ['br', '.br'],
  ['gzip', '.gz'],
] as const

const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ')

/**
 * The dashboard's page and its assets, without a token: there is nothing secret in them. They are read at the first call
 * and kept; while there are none the page says how to build them.
 */
export function dashboardFiles(folder: string = dashboardFolder): readonly Endpoint[] {
  let files: ReadonlyMap<string, Served> | undefined
  const serve = (x: Exchange, name: string): Answer => {
    if (files === undefined || files.size === 0) files = readDashboard(folder)
    const file = files.get(name)
    if (file !== undefined) return fileAnswer(x, file)
    return files.size === 0 ? textAnswer(503, unbuilt) : httpProblem({ name: 'no-route' }, x.id)
  }
  return [
    { method: 'GET', path: '/', roles: 'anyone', handle: (x) => serve(x, 'index.html') },
    { method: 'GET', path: '/assets/{file}', roles: 'anyone', handle: (x) => serve(x, `assets/${pathOf(x).split('/').at(-1)}`) },
  ]
}

/** All files, by their path below the folder: what is not listed here cannot be asked for. */
function readDashboard(folder: string): ReadonlyMap<string, Served> {
  const files = new Map<string, Served>()
  const add = (name: string, all: readonly string[]): void => {
    const type = types[extname(name)]
    if (type === undefined) return
    const coded = codings.filter(([, end]) => all.includes(`${name}${end}`))
    files.set(name, {
      headers: headersOf(name, type),
      plain: readFileSync(join(folder, name)),
      coded: new Map(coded.map(([coding, end]) => [coding, readFileSync(join(folder, `${name}${end}`))])),
    })
  }
  const below = list(folder)
  const assets = list(join(folder, 'assets')).map((name) => `assets/${name}`)
  if (below.includes('index.html')) for (const name of ['index.html', ...assets]) add(name, [...below, ...assets])
  return files
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw thrown
  }
}

function headersOf(name: string, type: string): HeaderBlock {
  const isPage = name === 'index.html'
  return headerBlock([
    ['content-type', type],
    // Assets carry a hash of their content in their names.
    ['cache-control', isPage ? 'no-cache' : 'public, max-age=31536000, immutable'],
    ['vary', 'accept-encoding'],
    ['content-security-policy', policy],
    ['cross-origin-opener-policy', 'same-origin'],
    ['cross-origin-resource-policy', 'same-origin'],
    ['referrer-policy', 'no-referrer'],
    ['x-frame-options', 'DENY'],
  ])
}

function fileAnswer(x: Exchange, { headers: block, plain, coded }: Served): Answer {
  const headers = new Headers()
  headers.put(block)
  const accepted = new Set(x.headers.all('accept-encoding').join(',').toLowerCase().replaceAll(' ', '').split(','))
  for (const [coding, bytes] of coded) {
    if (!accepted.has(coding)) continue
    headers.append('content-encoding', coding)
    return new Answer(200, headers, new BytesBody(bytes))
  }
  return new Answer(200, headers, new BytesBody(plain))
}
