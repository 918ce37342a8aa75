import { readFileSync, statSync } from 'node:fs'
import type { CheckContext } from './check-context.ts'
import type { ConfigPath } from './finding.ts'

// Certificates and key sets are small; something large was named by mistake.
const maxBytes = 4 * 1024 * 1024

/** The text of a file that the configuration names; undefined, with a finding at `path`, when it cannot be had. */
export function readConfigFile(context: CheckContext, path: ConfigPath, file: string): string | undefined {
  return readConfigBytes(context, path, file)?.toString('utf8')
}

/** The same for a file that may be no text. */
export function readConfigBytes(context: CheckContext, path: ConfigPath, file: string): Buffer | undefined {
  context.files.add(file)
  const problem = (message: string, remedy: string): undefined => {
    context.findings.error(path, message, remedy)
    return undefined
  }
  try {
    const stats = statSync(file)
    if (!stats.isFile()) return problem(`${file} is not a file`, 'give the path of a file')
    if (stats.size > maxBytes) return problem(`${file} is larger than 4mb`, 'give the path of the right file')
    return readFileSync(file)
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      return problem(`the file ${file} does not exist`, 'correct the path; it is relative to the config file')
    }
    if (code === 'EACCES' || code === 'EPERM') {
      return problem(`the file ${file} may not be read by this user`, 'give the user that runs Velum the right to read it')
    }
    return problem(`the file ${file} cannot be read (${code ?? String(thrown)})`, 'make it readable')
  }
}
