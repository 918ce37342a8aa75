import type { GatewayModel } from '../config/model.ts'
import type { Clock } from '../core/clock.ts'
import type { Log } from '../core/log.ts'
import { stableJson } from '../lib/stable-json.ts'
import { createCertificateFiles } from '../wire/tls/certificate-files.ts'
import type { CertificateFiles } from '../wire/tls/certificate-files.ts'
import type { TlsMaterial } from '../wire/tls/tls-spec.ts'

export interface CertificatesOptions {
  readonly clock: Clock
  readonly log: Log
  /** A listener's files have changed; for the workers. */
  readonly changed: (listener: string, material: TlsMaterial) => void
}

interface Watched {
  /** What the files were opened for; the same text means the same files. */
  readonly spec: string
  readonly files: CertificateFiles
}

/** A change of the watched certificates that has been prepared. */
export interface PreparedCertificates {
  readonly material: ReadonlyMap<string, TlsMaterial>
  commit(): void
  discard(): void
}

/** The certificates of all listeners of a node, read and watched by main alone. */
export class Certificates {
  readonly #options: CertificatesOptions
  #watched = new Map<string, Watched>()

  constructor(options: CertificatesOptions) {
    this.#options = options
  }

  /** The development authority's certificate, where some listener uses it. */
  get devAuthorityPath(): string | undefined {
    for (const { files } of this.#watched.values()) if (files.devAuthorityPath !== undefined) return files.devAuthorityPath
    return undefined
  }

  /** Reads what a configuration names; what did not change is kept. Rejects, having closed what it opened. */
  async prepare(model: GatewayModel, folder: string): Promise<PreparedCertificates> {
    const next = new Map<string, Watched>()
    const opened: CertificateFiles[] = []
    const discard = (): void => {
      for (const files of opened) files.close()
    }
    try {
      for (const { name, tls } of model.listeners) {
        if (tls === undefined) continue
        const spec = stableJson({ tls, folder })
        let files = this.#watched.get(name)?.spec === spec ? this.#watched.get(name)!.files : undefined
        if (files === undefined) opened.push((files = await this.#open(name, tls, folder)))
        next.set(name, { spec, files })
      }
    } catch (thrown) {
      discard()
      throw thrown
    }
    const material = new Map([...next].map(([name, { files }]) => [name, files.material]))
    return { material, commit: () => this.#commit(next), discard }
  }

  close(): void {
    this.#commit(new Map())
  }

  #open(
    listener: string,
    spec: NonNullable<GatewayModel['listeners'][number]['tls']>,
    devFolder: string,
  ): Promise<CertificateFiles> {
    const { clock, log, changed } = this.#options
    return createCertificateFiles({ spec, devFolder, clock, log, changed: (material) => changed(listener, material) })
  }

  #commit(next: Map<string, Watched>): void {
    const before = this.#watched
    this.#watched = next
    for (const [name, { files }] of before) if (next.get(name)?.files !== files) files.close()
  }
}
