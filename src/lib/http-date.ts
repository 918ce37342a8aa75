const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const fixed = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (\d\d) ([A-Z][a-z]{2}) (\d{4}) (\d\d):(\d\d):(\d\d) GMT$/
const rfc850 = /^(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, (\d\d)-([A-Z][a-z]{2})-(\d\d) (\d\d):(\d\d):(\d\d) GMT$/
const asctime = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) ([A-Z][a-z]{2}) ([ \d]\d) (\d\d):(\d\d):(\d\d) (\d{4})$/

/**
 * Milliseconds since 1970 of an HTTP date in any of its three forms (RFC 9110 §5.6.7); undefined for anything else.
 * `now` places the two-digit year of the second form: more than 50 years ahead means the past.
 */
export function parseHttpDate(text: string, now: number): number | undefined {
  let match = fixed.exec(text)
  if (match !== null) return at(Number(match[3]), match[2], match[1], match[4], match[5], match[6])
  match = rfc850.exec(text)
  if (match !== null) {
    const thisYear = new Date(now).getUTCFullYear()
    let year = thisYear - (thisYear % 100) + Number(match[3])
    if (year > thisYear + 50) year -= 100
    return at(year, match[2], match[1], match[4], match[5], match[6])
  }
  match = asctime.exec(text)
  return match === null ? undefined : at(Number(match[6]), match[1], match[2].trim(), match[3], match[4], match[5])
}

function at(year: number, monthName: string, day: string, hour: string, minute: string, second: string): number | undefined {
  const month = months.indexOf(monthName)
  const days = Number(day)
  if (month === -1 || days < 1 || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 60) return undefined
  // A 31st of February is no date.
  if (Date.UTC(year, month, days) >= Date.UTC(year, month + 1, 1)) return undefined
  return Date.UTC(year, month, days, Number(hour), Number(minute), Number(second))
}
