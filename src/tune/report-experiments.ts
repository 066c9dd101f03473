/** The report's experiments: one factor at a time around its preset, each a DEC on the labelled windows of one node. */
import { existsSync, mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { prepare } from '../bootstrap/prepare.ts'
import { type ModelOptions, modelOptions } from '../bootstrap/presets.ts'
import type { Progress } from '../bootstrap/progress.ts'
import type { TrainingConfig } from '../config/schema.ts'
import { clusterFrom, encodeRows, type Pretraining, pretrain } from '../evaluate/published/model.ts'
import { type Agreement, agreement, clusterSizes } from '../evaluate/published/table.ts'
import { checkHistory, checkRows, labelledWindows } from '../evaluate/published/windows.ts'
import { silhouette } from '../evaluate/silhouette.ts'
import type { History } from '../history/types.ts'
import { ModelError } from '../model/errors.ts'
import { createRandom } from '../model/random.ts'
import { MemoryRows, type Rows } from '../model/rows.ts'
import { Journal, type ResultKey } from './journal.ts'
import { findPretraining, keepPretraining, pretrainingKey, removePretraining } from './pretraining-cache.ts'

export interface Experiment {
  factor: 'preset' | 'code' | 'gamma' | 'batch' | 'optimiser' | 'tolerance' | 'interval' | 'iterations'
  value: string
  options: ModelOptions
}

export interface ExperimentRow {
  factor: Experiment['factor']
  value: string
  /** Null where the training failed. */
  figures: ExperimentFigures | null
  /** Why it failed. */
  failed: string | null
}

export interface ExperimentFigures extends Agreement {
  /** Of DEC's assignment in its own code; null where one cluster holds everything. */
  silhouette: number | null
  /** Sizes of the clusters, largest first. */
  sizes: number[]
  iterations: number
  stopped: string
  /** Share of the windows that changed their cluster at the last update. */
  changed: number
  /** KL(p‖q) a window and MSE a feature, means over the steps before the last update; null where it was the first. */
  divergence: number | null
  error: number | null
  /** MSE of the autoencoder's last epoch, before DEC. */
  pretrainError: number
  seconds: { pretraining: number; clustering: number }
}

export interface Experiments {
  node: string
  windows: { read: number; compared: number; anomalous: number }
  features: number
  k: number
  seed: number
  rows: ExperimentRow[]
}

/** What the report tried. */
const TRIED = {
  code: [10, 20, 50, 100],
  gamma: [0.1, 0.3, 0.5, 0.8],
  batch: [32, 64, 128],
  tolerance: [0.0001, 0.001, 0.01, 0.1],
  interval: [100, 120, 140],
  iterations: [1000, 2000, 4000],
} as const

/** Keras' own rate of Adam, which a notebook that only says "adam" gets; the rates of SGD are those of the preset. */
const ADAM_RATE = 1e-3

/**
 * The preset, then every value of every factor that differs from it. Batch and optimiser are those of both stages; the code and
 * they need an autoencoder of their own, the rest shares the preset's.
 */
export function experiments(base: ModelOptions): Experiment[] {
  const both = (change: Partial<ModelOptions['pretrain'] & ModelOptions['cluster']>): ModelOptions => ({
    ...base,
    pretrain: { ...base.pretrain, ...change },
    cluster: { ...base.cluster, ...change },
  })
  const cluster = (change: Partial<ModelOptions['cluster']>): ModelOptions => ({
    ...base,
    cluster: { ...base.cluster, ...change },
  })
  const all: Experiment[] = [{ factor: 'preset', value: 'report', options: base }]
  const vary = <T>(
    factor: Experiment['factor'],
    values: readonly T[],
    options: (value: T) => ModelOptions,
  ): void => {
    for (const value of values) all.push({ factor, value: String(value), options: options(value) })
  }
  vary('code', TRIED.code, (code) => ({ ...base, code }))
  vary('gamma', TRIED.gamma, (gamma) => cluster({ gamma }))
  vary('batch', TRIED.batch, (batch) => both({ batch }))
  vary('optimiser', ['adam'] as const, (kind) => both({ optimiser: { kind }, learningRate: ADAM_RATE }))
  vary('tolerance', TRIED.tolerance, (tolerance) => cluster({ tolerance }))
  vary('interval', TRIED.interval, (updateInterval) => cluster({ updateInterval }))
  vary('iterations', TRIED.iterations, (maxIterations) => cluster({ maxIterations }))
  const preset = JSON.stringify(base)
  return all.filter(({ factor, options }) => factor === 'preset' || JSON.stringify(options) !== preset)
}

/** In the folder of the experiments: finished rows, and the result when all are done. */
const JOURNAL = 'journal.ndjson'
const RESULT = 'experiments.json'

export interface ExperimentsRequest {
  history: History
  /** Preset `report`, with whatever the configuration changes. */
  training: TrainingConfig
  /** Folder of the finished rows; what is there of the same data and preset is not done again. */
  out: string
  progress: Progress
  signal?: AbortSignal | undefined
}

/**
 * Runs all experiments that `out` does not hold yet, those with the same autoencoder one after the other. A row that fails to train
 * says why; the others go on. Errors as `evaluateReport`, and where `out` holds something else.
 */
export async function runExperiments(request: ExperimentsRequest): Promise<Experiments> {
  const { history, training, out, progress, signal } = request
  checkHistory(history)
  const prepared = await prepare({ history, catalogue: null, training, progress, signal })
  try {
    const { rows } = prepared
    const base = modelOptions(training, rows.features, rows.rows)
    const k = base.cluster.centres
    const { labels, features } = await labelledWindows(prepared)
    await checkRows(rows, labels.length, k)
    const list = experiments(base)
    const journal = openJournal(out, {
      windows: prepared.fingerprint,
      seed: String(training.seed),
      preset: JSON.stringify(base),
    })
    const trial = { rows, labels, compared: new MemoryRows(features, rows.features), seed: training.seed }
    const found = list.map((_, number) => journal.find(number, 0)?.row)
    let done = found.filter((row) => row !== undefined).length
    const groups = Map.groupBy(list.entries(), ([, { options }]) => pretrainingKey(options))
    try {
      for (const [key, group] of groups) {
        for (const [number, experiment] of group) {
          if (found[number] !== undefined) continue
          const named = titled(
            progress,
            `${++done} of ${list.length}, ${experiment.factor} ${experiment.value}: `,
          )
          const row = await run(experiment, trial, { out, key }, named, signal)
          journal.append({ trial: number, rung: 0, row })
          found[number] = row
        }
        removePretraining(out, key)
      }
    } finally {
      journal.close()
    }
    const result: Experiments = {
      node: history.nodes[0] ?? '',
      windows: {
        read: prepared.store.rows,
        compared: labels.length,
        anomalous: labels.reduce((sum, label) => sum + label, 0),
      },
      features: rows.features,
      k,
      seed: training.seed,
      rows: found.filter((row) => row !== undefined),
    }
    const path = join(out, RESULT)
    writeFileSync(`${path}.tmp`, `${JSON.stringify(result, null, 2)}\n`)
    renameSync(`${path}.tmp`, path)
    return result
  } finally {
    await prepared.release()
  }
}

/** A line of the journal. */
interface Finished extends ResultKey {
  row: ExperimentRow
}

/** @throws where the folder holds something else, or experiments on other windows or with other options. */
function openJournal(out: string, identity: Record<string, string>): Journal<Finished> {
  const path = join(out, JOURNAL)
  if (!existsSync(path) && existsSync(out) && readdirSync(out).length > 0) {
    throw new Error(`${out} is not empty and holds no ${JOURNAL}; experiments need a folder of their own`)
  }
  mkdirSync(out, { recursive: true })
  return Journal.open<Finished>(path, identity)
}

interface Trial {
  /** All windows, which train. */
  rows: Rows
  /** The labelled ones, which are compared. */
  compared: Rows
  labels: Int32Array
  seed: number
}

async function run(
  { factor, value, options }: Experiment,
  trial: Trial,
  { out, key }: { out: string; key: string },
  progress: Progress,
  signal: AbortSignal | undefined,
): Promise<ExperimentRow> {
  try {
    let pretraining = findPretraining(out, key)
    if (pretraining === null) {
      pretraining = await pretrain(trial.rows, options, trial.seed, progress, signal)
      keepPretraining(out, key, pretraining)
    }
    return {
      factor,
      value,
      figures: await judge(options, pretraining, trial, progress, signal),
      failed: null,
    }
  } catch (error) {
    if (!(error instanceof ModelError)) throw error
    return { factor, value, figures: null, failed: error.message }
  }
}

async function judge(
  { cluster }: ModelOptions,
  pretraining: Pretraining,
  { rows, compared, labels, seed }: Trial,
  progress: Progress,
  signal: AbortSignal | undefined,
): Promise<ExperimentFigures> {
  const { dec, seconds } = await clusterFrom(rows, pretraining, cluster, progress, signal)
  const { code, assignment } = await encodeRows(compared, pretraining.network, dec.layers, dec.centres)
  const size = code.length / labels.length
  const width = await silhouette(code, size, assignment, { random: createRandom(seed), signal })
  const last = dec.updates.at(-1)! // there is one before the first step
  const hasLosses = last.iteration > 0
  return {
    ...agreement(assignment, labels),
    silhouette: width.mean,
    sizes: clusterSizes(assignment),
    iterations: dec.stopped === 'tolerance' ? last.iteration : cluster.maxIterations,
    stopped: dec.stopped,
    changed: last.changed,
    divergence: hasLosses ? last.divergence : null,
    error: hasLosses ? last.squaredError : null,
    pretrainError: pretraining.losses.at(-1) ?? Number.NaN,
    seconds: { pretraining: pretraining.seconds, clustering: seconds },
  }
}

function titled(progress: Progress, title: string): Progress {
  return { step: (name, total) => progress.step(`${title}${name}`, total) }
}
