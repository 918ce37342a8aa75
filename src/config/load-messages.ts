import type { LoadResult } from './load.ts'
import type { PackedModel } from './packed-model.ts'

/** What a loading thread is asked: a file, or the default one, with what of `LoadOptions` is data. */
export interface LoadTask {
  readonly file: string | undefined
  readonly folder: string | undefined
  readonly only: string | undefined
  readonly env: Readonly<Record<string, string | undefined>> | undefined
  /** Hash of the model of an earlier load that is still there: what was said then need not be said again. */
  readonly before: string | undefined
}

/** What it says: output of the configuration itself, then how the load ended. */
export type LoadWord =
  | { readonly kind: 'printed'; readonly text: string }
  | { readonly kind: 'loaded'; readonly result: Omit<LoadResult, 'model'>; readonly model: PackedModel | undefined }
  | { readonly kind: 'failed'; readonly message: string }
