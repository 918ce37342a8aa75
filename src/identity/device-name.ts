/** The first that fits names the browser; those that call themselves by the names of others come before them. */
const browsers: readonly (readonly [pattern: RegExp, name: string])[] = [
  [/\bEdgA?(?:iOS)?\/[\d.]+/, 'Edge'],
  [/\bOP(?:R|T|X)\/[\d.]+/, 'Opera'],
  [/\bSamsungBrowser\/[\d.]+/, 'Samsung Internet'],
  [/\bVivaldi\/[\d.]+/, 'Vivaldi'],
  [/\bYaBrowser\/[\d.]+/, 'Yandex Browser'],
  [/\b(?:Firefox|FxiOS)\/[\d.]+/, 'Firefox'],
  [/\b(?:HeadlessChrome|Chromium|Chrome|CriOS)\/[\d.]+/, 'Chrome'],
  [/\bVersion\/[\d.]+.*\bSafari\//, 'Safari'],
]

const systems: readonly (readonly [pattern: RegExp, name: string])[] = [
  [/\biPhone\b/, 'iPhone'],
  [/\biPad\b/, 'iPad'],
  [/\bAndroid\b/, 'Android'],
  [/\bWindows\b/, 'Windows'],
  [/\bCrOS\b/, 'ChromeOS'],
  [/\bMac OS X\b|\bMacintosh\b/, 'macOS'],
  [/\bLinux\b|\bX11\b/, 'Linux'],
]

const maxRawLength = 60

/**
 * How a person calls what logged in: `Firefox on Windows`, from its User-Agent; what is no browser keeps the first words of
 * what it calls itself. Only for reading: anybody can call themselves anything.
 */
export function deviceName(userAgent: string): string {
  const browser = nameIn(browsers, userAgent)
  const system = nameIn(systems, userAgent)
  if (browser !== undefined && system !== undefined) return `${browser} on ${system}`
  if (browser !== undefined) return browser
  const raw = userAgent.replace(/[\p{C}\p{Z}]+/gu, ' ').trim()
  if (raw === '') return 'An unnamed program'
  return raw.length <= maxRawLength ? raw : `${raw.slice(0, maxRawLength - 1).trimEnd()}…`
}

function nameIn(table: typeof browsers, userAgent: string): string | undefined {
  return table.find(([pattern]) => pattern.test(userAgent))?.[1]
}
