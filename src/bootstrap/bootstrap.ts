import type { TrainingConfig } from '../config/schema.ts'
import type { Catalogue } from '../examon/catalogue.ts'
import type { History } from '../history/types.ts'
import { checkReplaceable } from '../model/bundle.ts'
import { prepare } from './prepare.ts'
import { modelOptions } from './presets.ts'
import type { Progress } from './progress.ts'
import { type BootstrapResult, publish } from './publish.ts'
import { trainModel } from './train.ts'

export interface BootstrapRequest {
  history: History
  catalogue: Catalogue | null
  training: TrainingConfig
  out: string
  progress: Progress
  signal?: AbortSignal
}

/** History → windows → scaler → autoencoder → DEC → calibration → bundle. */
export async function bootstrap(request: BootstrapRequest): Promise<BootstrapResult> {
  const { history, catalogue, training, out, progress, signal } = request
  checkReplaceable(out)
  const prepared = await prepare({ history, catalogue, training, progress, signal })
  try {
    const { rows } = prepared
    const options = modelOptions(training, rows.features, rows.rows)
    const trained = await trainModel(rows, options, training.seed, progress, { signal })
    return await publish(prepared, trained, { training, out, progress, signal })
  } finally {
    await prepared.release()
  }
}
