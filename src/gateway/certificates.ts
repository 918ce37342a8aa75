import type { GatewayModel, TlsModel } from '../config/model.ts'
import type { Clock } from '../core/clock.ts'
import type { Log } from '../core/log.ts'
import { stableJson } from '../lib/stable-json.ts'
import { createCertificateFiles } from '../wire/tls/certificate-files.ts'
import type { CertificateFiles } from '../wire/tls/certificate-files.ts'
import type { CertificateMaterial, TlsMaterial } from '../wire/tls/tls-spec.ts'

export interface CertificatesOptions {
  readonly clock: Clock
  readonly log: Log
  /** What an authority issued by ACME for these names, as far as there is something. Default: nothing. */
  readonly issued?: ((tls: TlsModel) => readonly CertificateMaterial[]) | undefined
  /** Other certificates than before stand at a place, which is `listeners.NAME` or `admin`. */
  readonly changed: (place: string, material: TlsMaterial) => void
}

/** Where a certificate comes from. */
export type CertificateSource = 'file' | 'dev' | 'acme'

/** A certificate that is served, and where. */
export interface ServedCertificate {
  /** `listeners.NAME`, or `admin`. */
  readonly place: string
  readonly source: CertificateSource
  readonly material: CertificateMaterial
}

interface Watched {
  /** What the files were opened for; the same text means the same files. */
  readonly spec: string
  readonly tls: TlsModel
  readonly files: CertificateFiles
}

/** A change of the watched certificates that has been prepared. */
export interface PreparedCertificates {
  /** By name of the listener. */
  readonly material: ReadonlyMap<string, TlsMaterial>
  commit(): void
  discard(): void
}

const ofListener = (name: string): string => `listeners.${name}`

/** The certificates of all listeners of a node and of its admin server, read and watched by main alone. */
export class Certificates {
  readonly #options: CertificatesOptions
  #watched: ReadonlyMap<string, Watched> = new Map()

  constructor(options: CertificatesOptions) {
    this.#options = options
  }

  /** The development authority's certificate, where some listener uses it. */
  get devAuthorityPath(): string | undefined {
    for (const { files } of this.#watched.values()) if (files.devAuthorityPath !== undefined) return files.devAuthorityPath
    return undefined
  }

  /** What the admin server serves with; undefined where it speaks plain HTTP. */
  get admin(): TlsMaterial | undefined {
    const watched = this.#watched.get('admin')
    return watched === undefined ? undefined : this.#materialOf(watched)
  }

  /** Everything that is served at the moment. */
  served(): ServedCertificate[] {
    return [...this.#watched].flatMap(([place, watched]) =>
      this.#certificatesOf(watched).map(({ source, material }) => ({ place, source, material })),
    )
  }

  /** Reads what a configuration names; what did not change is kept. Rejects, having closed what it opened. */
  async prepare(model: GatewayModel, folder: string): Promise<PreparedCertificates> {
    const next = new Map<string, Watched>()
    const opened: CertificateFiles[] = []
    const discard = (): void => {
      for (const files of opened) files.close()
    }
    const places: [string, TlsModel | undefined][] = model.listeners.map(({ name, tls }) => [ofListener(name), tls])
    try {
      for (const [place, tls] of [...places, ['admin', model.admin?.tls] as const]) {
        if (tls === undefined) continue
        const spec = stableJson({ tls, folder })
        const before = this.#watched.get(place)
        let files = before?.spec === spec ? before.files : undefined
        if (files === undefined) opened.push((files = await this.#open(place, tls, folder)))
        next.set(place, { spec, tls, files })
      }
    } catch (thrown) {
      discard()
      throw thrown
    }
    const prepared = new Map([...next].map(([place, watched]) => [place, this.#materialOf(watched)]))
    const material = new Map(
      model.listeners.flatMap(({ name }) => {
        const found = prepared.get(ofListener(name))
        return found === undefined ? [] : [[name, found] as const]
      }),
    )
    return { material, commit: () => this.#commit(next, prepared), discard }
  }

  /** An authority has issued something: tells of every place that has such. */
  issuedChanged(): void {
    for (const [place, watched] of this.#watched) {
      if (watched.tls.acme !== undefined) this.#options.changed(place, this.#materialOf(watched))
    }
  }

  close(): void {
    this.#commit(new Map(), new Map())
  }

  #open(place: string, spec: TlsModel, devFolder: string): Promise<CertificateFiles> {
    const { clock, log, changed } = this.#options
    return createCertificateFiles({
      spec,
      devFolder,
      clock,
      log,
      changed: () => {
        // Files that are being prepared are told of by the commit.
        const watched = this.#watched.get(place)
        if (watched !== undefined) changed(place, this.#materialOf(watched))
      },
    })
  }

  #materialOf(watched: Watched): TlsMaterial {
    const { material } = watched.files
    if (watched.tls.acme === undefined) return material
    return { ...material, certificates: this.#certificatesOf(watched).map((one) => one.material) }
  }

  /** Files come first, so that the first of them is the default; the development certificate comes last. */
  #certificatesOf({ tls, files }: Watched): Omit<ServedCertificate, 'place'>[] {
    const { certificates } = files.material
    const firstDev = certificates.length - (tls.dev ? 1 : 0)
    const issued = tls.acme === undefined ? [] : (this.#options.issued?.(tls) ?? [])
    return [
      ...certificates.slice(0, firstDev).map((material) => ({ source: 'file' as const, material })),
      ...issued.map((material) => ({ source: 'acme' as const, material })),
      ...certificates.slice(firstDev).map((material) => ({ source: 'dev' as const, material })),
    ]
  }

  #commit(next: ReadonlyMap<string, Watched>, prepared: ReadonlyMap<string, TlsMaterial>): void {
    const before = this.#watched
    this.#watched = next
    for (const [place, { files }] of before) if (next.get(place)?.files !== files) files.close()
    for (const [place, watched] of next) {
      const now = this.#materialOf(watched)
      // What came while the change was being prepared; the admin server learns of everything here.
      if (place === 'admin' || stableJson(now) !== stableJson(prepared.get(place))) this.#options.changed(place, now)
    }
  }
}
