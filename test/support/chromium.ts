import { existsSync } from 'node:fs'
import type { Browser } from 'playwright-core'
import type { Cleanup } from './velum-process.ts'

const path = '/usr/bin/chromium'

/** Why tests in a real browser cannot run here; false when they can. */
export const noChromium: string | false = existsSync(path) ? false : `there is no ${path}; scripts/test-services.sh installs it`

export interface ChromiumOptions {
  /** Where names lead, as `--host-resolver-rules` has it. */
  readonly names?: string
  /** Whether certificates are taken as they come. Default: true. */
  readonly takesAnyCertificate?: boolean
  readonly timeoutMs?: number
}

/** Debian's Chromium, without a window; it is closed at the end of the test. */
export async function launchChromium(t: Cleanup, options: ChromiumOptions = {}): Promise<Browser> {
  const { names, takesAnyCertificate = true, timeoutMs } = options
  const { chromium } = await import('playwright-core')
  const browser = await chromium.launch({
    executablePath: path,
    args: [
      '--headless',
      '--no-sandbox',
      ...(takesAnyCertificate ? ['--ignore-certificate-errors'] : []),
      ...(names === undefined ? [] : [`--host-resolver-rules=${names}`]),
    ],
    ...(timeoutMs === undefined ? {} : { timeout: timeoutMs }),
  })
  t.after(() => browser.close())
  return browser
}
