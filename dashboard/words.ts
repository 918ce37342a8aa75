/** A rate as people read it: three digits, no more. */
export function rateText(perSecond: number): string {
  if (perSecond === 0) return '0'
  if (perSecond < 0.1) return '<0.1'
  return countText(perSecond < 10 ? Math.round(perSecond * 10) / 10 : Math.round(perSecond))
}

const short = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 })
const whole = new Intl.NumberFormat('en')

/** A number of things. */
export function countText(count: number): string {
  return count < 10_000 ? whole.format(count) : short.format(count)
}

/** A number of things, with their name. */
export function amountText(count: number, one: string, many: string): string {
  return `${countText(count)} ${count === 1 ? one : many}`
}

/** A duration given in seconds. */
export function secondsText(seconds: number | null | undefined): string {
  if (seconds === undefined || seconds === null) return '–'
  if (seconds < 0.001) return `${Math.round(seconds * 1e6)} µs`
  if (seconds < 0.1) return `${(seconds * 1000).toPrecision(2)} ms`
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`
  return seconds < 90 ? `${seconds.toPrecision(2)} s` : spanText(seconds * 1000)
}

/** A long span in its largest unit. */
export function spanText(ms: number): string {
  const minutes = ms / 60_000
  if (minutes < 1.5) return `${Math.max(0, Math.round(ms / 1000))} s`
  if (minutes < 90) return `${Math.round(minutes)} min`
  return minutes < 36 * 60 ? `${Math.round(minutes / 60)} h` : `${Math.round(minutes / 1440)} d`
}

/** How long ago, or until when. */
export function agoText(iso: string): string {
  const ms = Date.now() - Date.parse(iso)
  return ms >= 0 ? `${spanText(ms)} ago` : `in ${spanText(-ms)}`
}

const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' })

/** The time of day. */
export function timeText(iso: string): string {
  return clock.format(new Date(iso))
}

/** Bytes in binary units. */
export function bytesText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  const power = bytes === 0 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10))
  const value = bytes / 1024 ** power
  return `${value < 10 && power > 0 ? value.toFixed(1) : Math.round(value)} ${units[power]}`
}
