export interface CurlLine {
  /** What it shows, in a few words. */
  readonly title: string
  /** A line for a POSIX shell. */
  readonly command: string
}

export interface CurlLineOptions {
  /** The gateway's address without a final slash: `https://localhost:8443`. */
  readonly gateway: string
  /** The development authority's certificate. */
  readonly authorityPath: string
  readonly token: string
}

/** Five lines to paste: what a stranger sees first of Velum. The last one drains the tenant's bucket of ten. */
export function curlLines({ gateway, authorityPath, token }: CurlLineOptions): CurlLine[] {
  const curl = `curl --cacert ${quoted(authorityPath)}`
  const bearer = `-H 'Authorization: Bearer ${token}'`
  return [
    { title: 'a public call', command: `${curl} ${gateway}/catalog` },
    { title: 'nobody is let in without saying who they are: 401', command: `${curl} -i ${gateway}/orders` },
    { title: 'the demo user sees her tenant’s orders', command: `${curl} ${bearer} ${gateway}/orders` },
    { title: 'REST here, gRPC at the service behind the same door', command: `${curl} ${bearer} ${gateway}/v1/invoices/inv-2001` },
    {
      title: 'a flood ends in 429, with a true Retry-After',
      command: `for i in $(seq 15); do ${curl} -s -o /dev/null -w '%{http_code} %header{retry-after}\\n' ${bearer} ${gateway}/orders; done`,
    },
  ]
}

const quoted = (path: string): string => (/^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`)
