import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

// Builds dashboard/ into dist/dashboard, from where the admin surface serves it, each file compressed beside itself.
// `npm ci` runs it by "prepare"; with --if-possible it passes over an installation without development packages.

const root = fileURLToPath(new URL('../dashboard', import.meta.url))
const outDir = fileURLToPath(new URL('../dist/dashboard', import.meta.url))
/** What compression makes no smaller, or what fits one packet as it is. */
const minBytes = 512

async function buildDashboard(): Promise<void> {
  const { build } = await import('vite')
  await build({
    configFile: false,
    root,
    base: '/',
    logLevel: 'warn',
    oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
    build: {
      outDir,
      emptyOutDir: true,
      target: 'es2023',
      // The page has one script and one style sheet, both from files: nothing inline, as its CSP demands.
      modulePreload: { polyfill: false },
      assetsInlineLimit: 0,
      reportCompressedSize: false,
    },
  })
  for (const entry of readdirSync(outDir, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    const bytes = readFileSync(path)
    if (bytes.length < minBytes) continue
    writeFileSync(`${path}.br`, brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }))
    writeFileSync(`${path}.gz`, gzipSync(bytes, { level: 9 }))
  }
}

try {
  await buildDashboard()
} catch (thrown) {
  const isWithoutVite = (thrown as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND'
  if (!isWithoutVite || !process.argv.includes('--if-possible')) throw thrown
  console.warn('vite is not installed: the dashboard was not built')
}
