/** The report, table by table: its model and its baselines on the labelled windows of one node. */

import { findPlateau, type Plateau } from '../../bootstrap/plateau.ts'
import { prepare } from '../../bootstrap/prepare.ts'
import { type ModelOptions, modelOptions } from '../../bootstrap/presets.ts'
import type { Progress } from '../../bootstrap/progress.ts'
import type { TrainingConfig } from '../../config/schema.ts'
import { HistoryError } from '../../history/error.ts'
import type { History } from '../../history/types.ts'
import { meanPredictorError } from '../../model/autoencoder.ts'
import type { Bundle } from '../../model/bundle.ts'
import { codeSize } from '../../model/graphs.ts'
import { MemoryRows } from '../../model/rows.ts'
import { SCORE_ROWS, Scorer } from '../../model/scorer.ts'
import { mostProbable } from '../../model/soft-assignment.ts'
import { featureCount } from '../../windows/schema.ts'
import { fitPca } from '../baselines/pca.ts'
import { joined } from '../joined.ts'
import { clusterFrom, encodeRows, pretrain } from './model.ts'
import { type ReportInput, type ReportRow, reportTable } from './table.ts'
import { checkHistory, checkRows, labelledWindows } from './windows.ts'

export interface ReportRequest {
  history: History
  /** Preset `report`, with whatever the configuration changes. Its seed serves the baselines too. */
  training: TrainingConfig
  /** A model to judge in place of one trained here. */
  bundle: Bundle | null
  progress: Progress
  signal?: AbortSignal | undefined
}

export interface ReportEvaluation {
  node: string
  history: { layout: string; fromMs: number; toMs: number }
  windows: {
    read: number
    /** Left out: their label is not known. */
    unlabelled: number
    /** In the table. */
    compared: number
    anomalous: number
    /** In the table with at least one feature missing, which counts as the training mean. */
    incomplete: number
  }
  features: number
  /** Clusters of every row. */
  k: number
  /** Version of the bundle, or null for a model trained here on all windows, labelled or not. */
  model: string | null
  options: ModelOptions | null
  seed: number
  rows: ReportRow[]
  autoencoder: AutoencoderFigures
  /** At the last update of the target distribution. */
  dec: { iterations: number; stopped: string; changed: number | null }
}

/** Mean squared errors a feature, in scaled units. */
export interface AutoencoderFigures {
  /** Of the last training epoch, the figure that the report prints. */
  lastEpoch: number
  epochs: number
  /** Of the compared windows, on which the two below are taken too. */
  error: number
  meanPredictor: number
  /** PCA with as many components as the code has dimensions, fitted on the same windows; null where there is none. */
  pca: number | null
  components: number
  /** Epochs at which it did no more than predict the mean; the report's stood there for about fifty. */
  plateau: Plateau | null
}

/** What the table is made from, whether the model was trained here or read. */
interface Judged {
  input: ReportInput
  windows: Omit<ReportEvaluation['windows'], 'unlabelled' | 'compared' | 'anomalous'>
  error: number
  losses: readonly number[]
  dec: ReportEvaluation['dec']
  options: ModelOptions | null
}

/** PCA looks at this many windows at most. */
const PCA_ROWS = 20_000

/**
 * Reads one node's labelled windows, trains the report's model (unless there is one) and fills its table. No guard stops it: what a
 * model lacks is a finding here. Throws HistoryError where the history has more than one node or no label, ModelError
 * where the data leave nothing to learn.
 */
export async function evaluateReport(request: ReportRequest): Promise<ReportEvaluation> {
  const { history, training, bundle, progress, signal } = request
  checkHistory(history)
  const judged = bundle === null ? await trainAndJudge(request) : await judge(bundle, request)
  const { input, windows } = judged
  const { labels, features, k } = input
  const rows = await reportTable(input, { seed: training.seed, progress, signal })
  const matrix = new MemoryRows(features.values, features.size)
  const meanPredictor = await meanPredictorError(matrix)
  const components = Math.min(input.dec.code.size, features.size - 1, labels.length - 1)
  return {
    node: history.nodes[0]!, // checked: there is one
    history: { layout: history.layout, fromMs: history.fromMs, toMs: history.toMs },
    windows: {
      ...windows,
      unlabelled: windows.read - labels.length,
      compared: labels.length,
      anomalous: labels.reduce((sum, label) => sum + label, 0),
    },
    features: features.size,
    k,
    model: bundle?.version ?? null,
    options: judged.options,
    seed: training.seed,
    rows,
    autoencoder: {
      lastEpoch: judged.losses.at(-1) ?? Number.NaN,
      epochs: judged.losses.length,
      error: judged.error,
      meanPredictor,
      pca: components < 1 ? null : await pcaError(features.values, features.size, components),
      components,
      plateau: findPlateau(judged.losses, meanPredictor),
    },
    dec: judged.dec,
  }
}

async function trainAndJudge(request: ReportRequest): Promise<Judged> {
  const { training, progress, signal } = request
  const prepared = await prepare({ ...request, catalogue: null })
  try {
    const { rows } = prepared
    const options = modelOptions(training, rows.features, rows.rows)
    const k = options.cluster.centres
    const { labels, features, incomplete } = await labelledWindows(prepared)
    await checkRows(rows, labels.length, k)
    const pretrained = await pretrain(rows, options, training.seed, progress, signal)
    const { dec, seconds } = await clusterFrom(rows, pretrained, options.cluster, progress, signal)
    const matrix = new MemoryRows(features, rows.features)
    const before = await encodeRows(matrix, pretrained.network, pretrained.layers, null)
    const after = await encodeRows(matrix, pretrained.network, dec.layers, dec.centres)
    const size = codeSize(pretrained.network)
    return {
      input: {
        labels,
        k,
        features: { values: features, size: rows.features },
        code: { values: before.code, size },
        dec: { assignment: after.assignment, code: { values: after.code, size }, seconds },
      },
      windows: { read: prepared.store.rows, incomplete },
      error: before.error,
      losses: pretrained.losses,
      dec: {
        iterations: dec.updates.at(-1)?.iteration ?? 0,
        stopped: dec.stopped,
        changed: dec.updates.at(-1)?.changed ?? null,
      },
      options,
    }
  } finally {
    await prepared.release()
  }
}

/** Scores the labelled windows with a bundle; the baselines' code is the one that it serves, after DEC. */
async function judge(bundle: Bundle, { history, signal }: ReportRequest): Promise<Judged> {
  const { schema, network, scaler, training, modes } = bundle.manifest
  const d = featureCount(schema)
  const size = codeSize(network)
  const scorer = await Scorer.create(bundle.model, d)
  const node = scaler.nodes.indexOf(history.nodes[0] ?? '') + 1 // row 0 of the scaler is for unknown nodes
  const parts: { values: Float32Array; code: Float32Array; assignment: Int32Array; labels: number[] }[] = []
  let [read, incomplete, squaredError] = [0, 0, 0]
  try {
    const request = signal === undefined ? { blockRows: SCORE_ROWS } : { blockRows: SCORE_ROWS, signal }
    for await (const block of history.windows(schema, request)) {
      read += block.rows
      const labelled = [...block.label.subarray(0, block.rows).keys()].filter(
        (row) => block.label[row] !== -1,
      )
      if (labelled.length === 0) continue
      const raw = new Float64Array(labelled.length * d)
      for (const [i, row] of labelled.entries()) {
        const values = block.values.subarray(row * d, (row + 1) * d)
        if (values.some(Number.isNaN)) incomplete++
        raw.set(values, i * d)
      }
      const n = labelled.length
      const scores = await scorer.score(raw, new Int32Array(n).fill(node), n)
      for (let at = 0; at < n * d; at++) squaredError += scores.squaredResidual[at]! // n × d values
      parts.push({
        // The scorer pads a single row to two.
        values: scores.scaled.slice(0, n * d),
        code: scores.code.slice(0, n * size),
        assignment: mostProbable(scores.q.subarray(0, n * modes.length), n),
        labels: labelled.map((row) => block.label[row]!), // rows of the block
      })
    }
  } finally {
    await scorer.release()
  }
  const labels = Int32Array.from(parts.flatMap((part) => part.labels))
  const k = modes.length
  if (labels.length < k) {
    throw new HistoryError(
      labels.length === 0
        ? `none of the ${read} windows has a known label`
        : `${labels.length} labelled windows can't fill the model's ${k} clusters; give more history`,
    )
  }
  const code = { values: joined(parts.map((part) => part.code)), size }
  return {
    input: {
      labels,
      k,
      features: { values: joined(parts.map((part) => part.values)), size: d },
      code,
      dec: {
        assignment: Int32Array.from(parts.flatMap((part) => [...part.assignment])),
        code,
        seconds: null,
      },
    },
    windows: { read, incomplete },
    error: squaredError / (labels.length * d),
    losses: training.pretrainLoss,
    dec: {
      iterations: training.updates.at(-1)?.iteration ?? 0,
      stopped: training.stopped,
      changed: training.updates.at(-1)?.changed ?? null,
    },
    options: null,
  }
}

/** Mean squared error a feature of a PCA reconstruction. */
async function pcaError(values: Float32Array, d: number, components: number): Promise<number> {
  const n = Math.min(PCA_ROWS, values.length / d)
  const errors = await fitPca(values, n, d, { components }).score(values, n)
  return errors.reduce((sum, error) => sum + error, 0) / n
}
