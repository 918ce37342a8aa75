import { AddressError, parseCidr } from './address.ts'

/** The longest list that is read: some hundred thousand blocks. */
export const maxAddressListBytes = 16 * 1024 ** 2

/** A line of a list that is no address and no block. */
export interface AddressListFault {
  /** From 1. */
  readonly line: number
  readonly message: string
  readonly remedy: string
}

/** What a list's text holds. */
export interface AddressList {
  readonly cidrs: readonly string[]
  readonly faults: readonly AddressListFault[]
}

/** Reads a list of addresses and CIDR blocks, one a line; what stands behind `#` or `;` and empty lines are passed over. */
export function parseAddressList(text: string): AddressList {
  const cidrs: string[] = []
  const faults: AddressListFault[] = []
  for (const [i, line] of text.split(/\r?\n/).entries()) {
    const entry = line.replace(/[#;].*/, '').trim()
    if (entry === '') continue
    try {
      cidrs.push(parseCidr(entry))
    } catch (thrown) {
      if (!(thrown instanceof AddressError)) throw thrown
      faults.push({ line: i + 1, message: thrown.message, remedy: thrown.remedy })
    }
  }
  return { cidrs, faults }
}
