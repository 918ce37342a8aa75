import type { CheckContext } from './check-context.ts'
import type { ConfigPath } from './finding.ts'

const remedy = 'hash the key: printf %s "$KEY" | sha256sum'
const hashOfNothing = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'

/** The hash of a key or secret in lower case, with a finding for what is no SHA-256 in hex; '' when there is none. */
export function checkSha256(context: CheckContext, path: ConfigPath, written: string | undefined): string {
  const sha256 = written?.toLowerCase() ?? ''
  if (written !== undefined && !/^[0-9a-f]{64}$/.test(sha256)) {
    context.findings.error(path, 'this is not a SHA-256 in hex (64 digits)', remedy)
  } else if (sha256 === hashOfNothing) {
    context.findings.error(path, 'this is the SHA-256 of an empty text', remedy)
  }
  return sha256
}
