import { definePolicy } from 'velum'

interface Sunset {
  /** By version: when it ends, milliseconds since 1970. */
  readonly ends: ReadonlyMap<string, number>
}

const hourMs = 3_600_000

// Old versions of an API end on a day that was announced. What it does is a matter of the gateway, not of the shop: the
// policy reads the request and its options, and asks nobody.
export default definePolicy({
  options: (written): Sunset => {
    if (typeof written !== 'object' || written === null)
      throw new Error('write the versions and their last days: { "1": "2026-06-30" }')
    const ends = new Map<string, number>()
    for (const [version, day] of Object.entries(written)) {
      const end = typeof day === 'string' ? Date.parse(day) : NaN
      if (Number.isNaN(end)) throw new Error(`the last day of version ${version} is no date`)
      ends.set(version, end)
    }
    return { ends }
  },

  decide(request, { options, now, records, log }) {
    const version = request.header('x-api-version') ?? '1'
    const end = options.ends.get(version)
    if (end === undefined) return { headers: { 'x-api-version': version } }
    if (end <= now()) return { status: 422, code: 'version-ended', detail: `Version ${version} of this API has ended.` }
    const caller = `${request.caller?.tenant ?? request.address} ${version}`
    if (records.get(caller) === undefined) {
      records.set(caller, 'told', hourMs)
      log.info('an old version of the API is used', { caller, version })
    }
    return { headers: { 'x-api-version': version } }
  },

  onHead(request, answer, { options }) {
    const end = options.ends.get(request.header('x-api-version') ?? '1')
    if (end !== undefined) answer.setHeader('sunset', new Date(end).toUTCString())
  },

  peek: true,
})
