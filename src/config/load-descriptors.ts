import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { compileProtos } from '../bridges/descriptors/compile-protos.ts'
import type { Compiled } from '../bridges/descriptors/compile-protos.ts'
import { membersOf } from './members-of.ts'

/** By name of the service: what its `protos` or `descriptors` came to. */
export type LoadedDescriptors = ReadonlyMap<string, Compiled>

/**
 * Compiles and reads what the services of a configuration (as it was written) name. Whatever does not have its form is
 * passed over here: the check says so.
 */
export async function loadDescriptors(input: unknown, file: string): Promise<LoadedDescriptors> {
  const folder = dirname(file)
  const loaded = new Map<string, Compiled>()
  for (const [name, service] of Object.entries(membersOf(membersOf(input)['services']))) {
    const { protos, descriptors } = membersOf(service)
    if (typeof descriptors === 'string' && protos === undefined) loaded.set(name, await readSet(resolve(folder, descriptors)))
    const files = typeof protos === 'string' ? [protos] : protos
    if (descriptors !== undefined || !Array.isArray(files) || !files.every((path) => typeof path === 'string')) continue
    loaded.set(
      name,
      await compileProtos(
        files.map((path) => resolve(folder, path)),
        folder,
      ),
    )
  }
  return loaded
}

async function readSet(path: string): Promise<Compiled> {
  try {
    return { set: await readFile(path), faults: [], files: [path] }
  } catch (thrown) {
    const { code, message } = thrown as NodeJS.ErrnoException
    const words = code === 'ENOENT' ? 'the file does not exist' : `the file cannot be read (${code ?? message})`
    return { set: undefined, faults: [{ file: path, message: words, line: undefined, column: undefined }], files: [] }
  }
}
