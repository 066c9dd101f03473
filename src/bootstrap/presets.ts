/** Every number that training needs, from the preset, the configuration and the size of the data. */
import type { TrainingConfig } from '../config/schema.ts'
import type { PretrainOptions } from '../model/autoencoder.ts'
import type { ClusterOptions } from '../model/dec.ts'
import type { LayerwiseOptions } from '../model/layerwise.ts'
import type { Optimiser } from '../model/optimisers.ts'
import type { Schedule } from '../model/schedule.ts'
import type { Statistic } from '../windows/schema.ts'

/** What decides the features; needed before the windows are built. */
export interface WindowOptions {
  lengthSeconds: number
  everySeconds: number
  statistics: Statistic[]
  ddof: 0 | 1
  /** log1p for variances and deviations. */
  logSpread: boolean
  /** Metrics pooled and chosen by the catalogue; false takes every sensor as it is. */
  useCatalogue: boolean
}

/** What decides the model; needs the number of features and training windows. */
export interface ModelOptions {
  hidden: number[]
  code: number
  /** Layer-wise pretraining before `pretrain`; left out where missing. */
  layerwise?: LayerwiseOptions
  pretrain: PretrainOptions
  cluster: ClusterOptions
}

/** What decides which windows train, calibrate, or neither. */
export interface SelectionOptions {
  holdout: number
  /** Windows labelled anomalous stay out of scaler, training and calibration. */
  skipAnomalous: boolean
  minCoverage: number
  /** One range over all rows, as scikit-learn's MinMaxScaler. */
  plainScaler: boolean
}

export function windowOptions(training: TrainingConfig): WindowOptions {
  const report = training.preset === 'report'
  return {
    lengthSeconds: training.window,
    everySeconds: training.every ?? training.window,
    statistics: training.statistics ?? ['avg', 'var', 'max', 'min'],
    ddof: training.ddof ?? 1,
    logSpread: !report,
    useCatalogue: !report,
  }
}

export function selectionOptions(training: TrainingConfig): SelectionOptions {
  const report = training.preset === 'report'
  return {
    holdout: training.holdout ?? (report ? 0 : 0.2),
    skipAnomalous: !report,
    minCoverage: report ? 0 : 0.5,
    plainScaler: report,
  }
}

export function modelOptions(training: TrainingConfig, features: number, rows: number): ModelOptions {
  const preset = training.preset === 'report' ? REPORT : scaledDefaults(features, rows)
  const { cluster } = training
  const pretrain = pretrainOptions(training.pretrain, preset.pretrain)
  return {
    hidden: training.hidden ?? preset.hidden,
    code: training.code ?? preset.code,
    ...layerwiseOptions(training.pretrain.layerwise, pretrain),
    pretrain,
    cluster: {
      ...preset.cluster,
      optimiser: optimiser(cluster, preset.cluster.optimiser),
      learningRate: cluster.learning_rate ?? preset.cluster.learningRate,
      schedule: schedule(cluster, preset.cluster.schedule),
      batch: cluster.batch ?? preset.cluster.batch,
      centres: training.centres ?? preset.cluster.centres,
      gamma: cluster.gamma ?? preset.cluster.gamma,
      ...(cluster.reconstruction === undefined ? {} : { reconstruction: cluster.reconstruction }),
      updateInterval: cluster.update_interval ?? preset.cluster.updateInterval,
      tolerance: cluster.tolerance ?? preset.cluster.tolerance,
      maxIterations: cluster.max_iterations ?? preset.cluster.maxIterations,
    },
  }
}

function pretrainOptions(pretrain: TrainingConfig['pretrain'], preset: PretrainOptions): PretrainOptions {
  return {
    ...preset,
    optimiser: optimiser(pretrain, preset.optimiser),
    initialiser: pretrain.initialiser ?? preset.initialiser,
    learningRate: pretrain.learning_rate ?? preset.learningRate,
    schedule: schedule(pretrain, preset.schedule),
    batch: pretrain.batch ?? preset.batch,
    epochs: pretrain.epochs ?? preset.epochs,
  }
}

function layerwiseOptions(
  layerwise: TrainingConfig['pretrain']['layerwise'],
  pretrain: PretrainOptions,
): Pick<ModelOptions, 'layerwise'> {
  if (layerwise === undefined) return {}
  return {
    layerwise: {
      optimiser: optimiser(layerwise, pretrain.optimiser),
      learningRate: layerwise.learning_rate ?? pretrain.learningRate,
      schedule: schedule(layerwise, pretrain.schedule),
      batch: layerwise.batch ?? pretrain.batch,
      epochs: layerwise.epochs,
      dropout: layerwise.dropout,
    },
  }
}

function optimiser(
  stage: { optimiser?: 'sgd' | 'adam' | undefined; momentum?: number | undefined },
  preset: Optimiser,
): Optimiser {
  const kind = stage.optimiser ?? preset.kind
  if (kind === 'adam') return { kind }
  return { kind, momentum: stage.momentum ?? (preset.kind === 'sgd' ? preset.momentum : 0.9) }
}

/** Epochs after which the schedule `step` divides the rate, where neither preset nor configuration says. */
const STEP_EPOCHS = 20

function schedule(
  stage: { schedule?: Schedule['kind'] | undefined; step_epochs?: number | undefined },
  preset: Schedule,
): Schedule {
  const kind = stage.schedule ?? preset.kind
  if (kind !== 'step') return { kind }
  return { kind, epochs: stage.step_epochs ?? (preset.kind === 'step' ? preset.epochs : STEP_EPOCHS) }
}

/** The University of Bologna report on Marconi-100, to the letter. */
const REPORT: ModelOptions = {
  hidden: [500, 500, 2000],
  code: 20,
  pretrain: {
    optimiser: { kind: 'sgd', momentum: 0.9 },
    initialiser: 'normal-0.01',
    learningRate: 0.1,
    schedule: { kind: 'constant' },
    batch: 128,
    epochs: 100,
  },
  cluster: {
    optimiser: { kind: 'sgd', momentum: 0.9 },
    learningRate: 0.01,
    schedule: { kind: 'constant' },
    batch: 128,
    centres: 2,
    gamma: 0.5,
    updateInterval: 140,
    tolerance: 0.01,
    maxIterations: 1000,
    shuffle: false,
  },
}

/**
 * Autoencoder steps that the default aims at. On the three server machines and ten services that the defaults were
 * chosen on, more steps lower the loss and not the ranking of windows.
 */
const PRETRAIN_STEPS = 3000
/** Passes over a small set stop paying here, and a huge one wants at least this many. */
const MOST_EPOCHS = 40
const LEAST_EPOCHS = 5
/** A batch is about a hundredth of the set, within these bounds. */
const BATCHES = [64, 128, 256, 512, 1024] as const
/** Operating modes; with fewer than this many windows a mode there are fewer. */
const MODES = 8
const LEAST_WINDOWS_A_MODE = 25
/** Passes over the set for the clustering stage at most, and between two updates of the target. */
const CLUSTER_EPOCHS = 20
const UPDATE_EPOCHS = 2

/** Sizes that grow with the number of features and windows. */
function scaledDefaults(features: number, rows: number): ModelOptions {
  const batch = BATCHES.find((b) => b * 100 >= rows) ?? 1024
  const stepsPerEpoch = Math.max(1, Math.ceil(rows / batch))
  const epochs = Math.round(PRETRAIN_STEPS / stepsPerEpoch)
  return {
    hidden: features <= 100 ? [64, 32] : features <= 250 ? [128, 64] : [256, 128],
    code: Math.min(10, Math.max(2, Math.floor(features / 4))),
    pretrain: {
      optimiser: { kind: 'adam' },
      initialiser: 'variance-scaling',
      learningRate: 1e-3,
      schedule: { kind: 'cosine' },
      batch,
      epochs: Math.min(MOST_EPOCHS, Math.max(LEAST_EPOCHS, epochs)),
    },
    cluster: {
      optimiser: { kind: 'adam' },
      learningRate: 1e-4,
      schedule: { kind: 'constant' },
      batch,
      centres: Math.min(MODES, Math.max(2, Math.floor(rows / LEAST_WINDOWS_A_MODE))),
      gamma: 0.1,
      updateInterval: UPDATE_EPOCHS * stepsPerEpoch,
      tolerance: 0.005,
      maxIterations: Math.min(PRETRAIN_STEPS, CLUSTER_EPOCHS * stepsPerEpoch),
      shuffle: true,
    },
  }
}
