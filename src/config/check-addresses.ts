import { readFileSync, statSync } from 'node:fs'
import { maxAddressListBytes, parseAddressList } from '../lib/address-list.ts'
import type { AddressesOptions } from '../policies/addresses.ts'
import type { CheckContext } from './check-context.ts'
import { absolutePath } from './check-context.ts'
import type { ConfigPath } from './finding.ts'

/** How many wrong lines of one file are told. */
const maxFaults = 5

/** The options of a route's addresses with the paths of their files absolute; findings for those that cannot be used. */
export function checkAddresses(context: CheckContext, i: number, options: AddressesOptions): AddressesOptions {
  const own: ConfigPath = ['routes', i, 'addresses']
  const absolute = (key: 'allowFiles' | 'denyFiles'): string[] | undefined => {
    const at = context.reading.at([...own, key]) === undefined ? ['defaults', 'addresses', key] : [...own, key]
    return options[key]?.map((path, index) => checkedFile(context, [...at, index], absolutePath(context, path)))
  }
  const [allowFiles, denyFiles] = [absolute('allowFiles'), absolute('denyFiles')]
  return {
    ...options,
    ...(allowFiles === undefined ? {} : { allowFiles }),
    ...(denyFiles === undefined ? {} : { denyFiles }),
  }
}

function checkedFile({ findings, files }: CheckContext, at: ConfigPath, path: string): string {
  // A file that several routes name is told of once, where it is named first.
  if (files.has(path)) return path
  files.add(path)
  try {
    if (statSync(path).size > maxAddressListBytes) {
      findings.error(at, 'the list is larger than 16mb', 'merge blocks that lie side by side')
      return path
    }
    const { faults } = parseAddressList(readFileSync(path, 'utf8'))
    for (const { line, message, remedy } of faults.slice(0, maxFaults)) findings.error(at, `line ${line}: ${message}`, remedy)
    if (faults.length > maxFaults) findings.error(at, `${faults.length - maxFaults} more lines are wrong`, 'correct them')
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException
    if (code === 'ENOENT') findings.error(at, 'the list does not exist', 'correct the path; it is relative to the config file')
    else findings.error(at, `the list cannot be read (${code ?? String(thrown)})`, 'give a file that Velum may read')
  }
  return path
}
