import { existsSync, rmSync } from 'node:fs'
import type { TrainingConfig } from '../config/schema.ts'
import type { Catalogue } from '../examon/catalogue.ts'
import type { History } from '../history/types.ts'
import { checkReplaceable } from '../model/bundle.ts'
import { ModelError } from '../model/errors.ts'
import { chooseFeatures } from './features.ts'
import { openPrepared, type Prepared, prepare, unfitReason } from './prepare.ts'
import { modelOptions, windowOptions } from './presets.ts'
import type { Progress } from './progress.ts'
import { type BootstrapResult, publish } from './publish.ts'
import { trainModel } from './train.ts'
import { checkFits, openOldModel, warmOptions } from './warm.ts'
import { openWorkspace, type Workspace } from './workspace.ts'

export interface BootstrapRequest {
  history: History
  catalogue: Catalogue | null
  training: TrainingConfig
  out: string
  /** Folder of a bundle whose network and centres the training starts from. */
  from?: string | undefined
  progress: Progress
  signal?: AbortSignal
}

/**
 * History → windows → scaler → autoencoder → DEC → calibration → bundle. Interrupted after the history was read, it goes
 * on where it was when it is asked for the same again.
 */
export async function bootstrap(request: BootstrapRequest): Promise<BootstrapResult> {
  const { training, out, progress, signal } = request
  checkReplaceable(out)
  const old = request.from === undefined ? undefined : openOldModel(request.from)
  if (old !== undefined) {
    checkFits(old, chooseFeatures(request.history, request.catalogue, windowOptions(training)), training)
  }
  const workspace = openWorkspace(out)
  let keep = false
  try {
    const prepared = await resumeOrPrepare(request, workspace)
    keep = true
    try {
      const { rows, fingerprint } = prepared
      const cold = modelOptions(training, rows.features, rows.rows)
      const options = old === undefined ? cold : warmOptions(cold, old, training)
      const trained = await trainModel(rows, options, training.seed, progress, {
        signal,
        directory: prepared.directory,
        warm: old?.start,
        checkpoint: { path: workspace.state, rows: fingerprint },
      })
      const result = await publish(prepared, trained, { training, out, progress, signal, old })
      keep = false
      return result
    } finally {
      await prepared.release()
    }
  } catch (error) {
    // What was refused would be refused again.
    if (error instanceof ModelError) keep = false
    throw error
  } finally {
    workspace.close(keep)
  }
}

/** The windows that an interrupted run has left, if they are those asked for; otherwise from the history. */
async function resumeOrPrepare(request: BootstrapRequest, workspace: Workspace): Promise<Prepared> {
  if (existsSync(workspace.prepared)) {
    const step = request.progress.step('resume')
    const reason = unfitReason(workspace.prepared, request)
    if (reason === null) {
      const prepared = await openPrepared(workspace.prepared)
      step.finish(`continues with ${prepared.store.rows} windows that an interrupted run has read`)
      return prepared
    }
    step.finish(`starts anew: ${reason}`)
    rmSync(workspace.state, { force: true })
  }
  return prepare(request, workspace.prepared)
}
