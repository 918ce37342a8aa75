import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join, relative, sep } from 'node:path'
import type { ProtoFault, ProtoTree } from './proto-tree.ts'
import { readProtoTree } from './proto-tree.ts'

/** What came of compiling: a serialised FileDescriptorSet, or why there is none. */
export interface Compiled {
  readonly set: Uint8Array | undefined
  readonly faults: readonly ProtoFault[]
  /** Every file that was read, for a watcher. Absolute. */
  readonly files: readonly string[]
}

/**
 * Compiles `.proto` files (absolute paths) with everything that they import. An import is looked for in the folders above
 * the file that names it, up to `root`; what google publishes is built in. Never rejects for what a user can get wrong.
 */
export async function compileProtos(files: readonly string[], root: string): Promise<Compiled> {
  const tree = readProtoTree(files, root)
  const read = [...tree.paths.values()]
  if (tree.faults.length > 0) return { set: undefined, faults: tree.faults, files: read }
  const { set, faults } = await compileFolder(tree.texts, { withImports: true })
  const inPlace = faults.map(({ file, message, line, column }) => ({ file: tree.paths.get(file) ?? file, message, line, column }))
  return { set, faults: inPlace, files: read }
}

/** Compiles texts by their import names. Faults name them likewise. */
export async function compileFolder(
  texts: ProtoTree['texts'],
  { withImports }: { readonly withImports: boolean },
): Promise<{ set: Uint8Array | undefined; faults: readonly ProtoFault[] }> {
  const folder = await mkdtemp(join(tmpdir(), 'velum-protos-'))
  try {
    for (const [name, text] of texts) {
      const path = join(folder, 'in', name)
      await mkdir(dirname(path), { recursive: true })
      await writeFile(path, text)
    }
    const out = join(folder, 'out.binpb')
    const flags = ['--as-file-descriptor-set', '--error-format', 'json', '--disable-symlinks', '-o', out]
    if (!withImports) flags.push('--exclude-imports', '--exclude-source-info')
    const { code, output } = await run(compilerPath(), ['build', join(folder, 'in'), ...flags], folder)
    if (code === 0) return { set: await readFile(out), faults: [] }
    const faults = faultsOf(output, join(folder, 'in'))
    const silent: ProtoFault = {
      file: '',
      message: `the compiler ended with code ${code} and no words`,
      line: undefined,
      column: undefined,
    }
    return { set: undefined, faults: faults.length === 0 ? [silent] : faults }
  } catch (thrown) {
    const { message } = thrown as Error
    return {
      set: undefined,
      faults: [{ file: '', message: `the compiler cannot be run: ${message}`, line: undefined, column: undefined }],
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** The compiler's binary: `@bufbuild/buf` brings one for each platform. */
function compilerPath(): string {
  const names: Readonly<Record<string, string>> = { 'linux-arm64': 'linux-aarch64', 'linux-arm': 'linux-armv7' }
  const here = `${process.platform}-${process.arch}`
  const isWindows = process.platform === 'win32'
  const fromBuf = createRequire(import.meta.resolve('@bufbuild/buf'))
  return join(dirname(fromBuf.resolve(`@bufbuild/buf-${names[here] ?? here}/package.json`)), 'bin', isWindows ? 'buf.exe' : 'buf')
}

function run(file: string, args: readonly string[], cwd: string): Promise<{ code: number; output: string }> {
  return new Promise((resolve, reject) => {
    // Its own words only: no cache, no configuration of the user's. It has nothing to ask from the network.
    const env = { HOME: cwd, XDG_CACHE_HOME: cwd, PATH: process.env['PATH'] }
    execFile(file, args, { cwd, env, timeout: 30_000, maxBuffer: 4_194_304 }, (error, stdout, stderr) => {
      if (error === null) return resolve({ code: 0, output: '' })
      if (typeof error.code === 'number') return resolve({ code: error.code, output: stdout + stderr })
      reject(error)
    })
  })
}

function faultsOf(output: string, folder: string): ProtoFault[] {
  const faults: ProtoFault[] = []
  for (const line of output.split('\n')) {
    if (line.trim() === '') continue
    try {
      const { path, start_line, start_column, message } = JSON.parse(line) as Record<string, unknown>
      const name = typeof path === 'string' ? nameIn(folder, path) : ''
      faults.push({
        file: name,
        message: String(message),
        line: typeof start_line === 'number' ? start_line : undefined,
        column: typeof start_column === 'number' ? start_column : undefined,
      })
    } catch {
      faults.push({ file: '', message: line.replace(/^Failure: /, ''), line: undefined, column: undefined })
    }
  }
  return faults
}

function nameIn(folder: string, path: string): string {
  const absolute = path.startsWith(folder) ? path : join(folder, '..', path)
  return relative(folder, absolute).split(sep).join('/')
}
