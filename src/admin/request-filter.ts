import type { RequestRow } from '../gateway/request-row.ts'

/** A filter that cannot be one; its message is for whoever asked. */
export class FilterError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'FilterError'
  }
}

/** Which requests somebody wants to see. */
export interface RequestFilter {
  readonly limit: number
  has(row: RequestRow): boolean
}

const mostListed = 2000

/** What a request may be chosen by: each value that is asked for must be one of the row's. */
const fields: Readonly<Record<string, (row: RequestRow) => readonly (string | undefined)[]>> = {
  status: ({ status }) => [String(status), `${Math.floor(status / 100)}xx`],
  method: ({ method }) => [method],
  route: ({ route }) => [route],
  service: ({ service }) => [service],
  address: ({ address }) => [address],
  host: ({ host }) => [host],
  subject: ({ caller }) => [caller?.subject],
  tenant: ({ caller }) => [caller?.tenant],
  client: ({ caller }) => [caller?.client],
  // Also who would have refused it: a policy in shadow.
  policy: ({ refused, verdicts }) => [
    refused?.policy,
    ...verdicts.filter(({ decision }) => decision === 'would-refuse').map(({ policy }) => policy),
  ],
  code: ({ refused, fault }) => [refused?.code, fault?.code],
  label: ({ refused }) => [refused?.label],
  kept: ({ keptFor }) => [keptFor],
  listener: ({ listener }) => [listener],
}

/**
 * Reads a filter: `status=4xx&route=orders&limit=50`. A name that comes more than once is satisfied by any of its values,
 * different names all must be. Throws a FilterError.
 */
export function parseFilter(query: URLSearchParams): RequestFilter {
  const wanted = new Map<string, string[]>()
  let limit = 200
  for (const [name, value] of query) {
    if (name === 'limit') limit = limitOf(value)
    else if (!Object.hasOwn(fields, name)) {
      throw new FilterError(
        `requests are not chosen by ${JSON.stringify(name)}: use ${[...Object.keys(fields), 'limit'].join(', ')}`,
      )
    } else wanted.set(name, [...(wanted.get(name) ?? []), value])
  }
  const tests = [...wanted].map(([name, values]) => {
    const read = fields[name]
    return (row: RequestRow): boolean => read(row).some((value) => value !== undefined && values.includes(value))
  })
  return { limit, has: (row) => tests.every((holds) => holds(row)) }
}

function limitOf(text: string): number {
  const limit = Number(text)
  if (!/^\d{1,4}$/.test(text) || limit < 1 || limit > mostListed)
    throw new FilterError(`"limit" is a number from 1 to ${mostListed}`)
  return limit
}
