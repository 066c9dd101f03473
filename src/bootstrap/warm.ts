/** Periodic retraining: an older bundle as the start of a new training. */
import type { TrainingConfig } from '../config/schema.ts'
import { type Bundle, openBundle } from '../model/bundle.ts'
import { ModelError } from '../model/errors.ts'
import { layerSizes } from '../model/network.ts'
import { doubleTensor, floatTensor, readTensors } from '../model/tensors.ts'
import { type FeatureSchema, featureCount, hasLog } from '../windows/schema.ts'
import type { ModelOptions } from './presets.ts'
import type { WarmStart } from './train.ts'

/** An older model, opened as a start. */
export interface OldModel {
  bundle: Bundle
  start: WarmStart
  /** Of the fleet (row 0 of the scaler), a feature each, after the transform. */
  lo: Float64Array
  range: Float64Array
}

/**
 * Epochs of a warm start, as a share of those of a cold one. Six real servers and services, first trained on the first and
 * then on the last 70 % of their history (`test/compare/warm.ts`): with a tenth of the epochs the error on the training
 * windows is a tenth below that of a cold start, and AUROC does not tell a tenth from all of them.
 */
const WARM_EPOCHS = 0.1

export function openOldModel(path: string): OldModel {
  const bundle = openBundle(path)
  const { network, schema } = bundle.manifest
  const tensors = readTensors(bundle.model)
  const d = featureCount(schema)
  return {
    bundle,
    start: {
      version: bundle.version,
      layers: layerSizes(network).map(([inputs, outputs], l) => ({
        weight: floatTensor(tensors, `weight${l}`),
        bias: floatTensor(tensors, `bias${l}`),
        inputs,
        outputs,
      })),
      centres: floatTensor(tensors, 'centres'),
    },
    lo: doubleTensor(tensors, 'lo').subarray(0, d),
    range: doubleTensor(tensors, 'range').subarray(0, d),
  }
}

/** @throws ModelError that names what differs where the old model can't take windows of this schema. */
export function checkFits({ bundle }: OldModel, schema: FeatureSchema, training: TrainingConfig): void {
  const old = bundle.manifest.schema
  const sizes = sizesOf(bundle)
  const differences = [
    ...metricDifferences(old, schema),
    ...difference('statistics', old.statistics, schema.statistics),
    ...difference('window, seconds', old.lengthSeconds, schema.lengthSeconds),
    ...difference('distance of windows, seconds', old.everySeconds, schema.everySeconds),
    ...difference('ddof', old.ddof, schema.ddof),
    ...difference('log1p of spreads', hasLog(old.transforms), hasLog(schema.transforms)),
    ...difference('training.hidden', sizes.hidden, training.hidden ?? sizes.hidden),
    ...difference('training.code', sizes.code, training.code ?? sizes.code),
    ...difference('training.centres', sizes.centres, training.centres ?? sizes.centres),
  ]
  if (differences.length === 0) return
  throw new ModelError(
    'bundle_mismatch',
    `a model can't start from ${bundle.path}: ${differences.join('; ')}. Give the history and options of that model, or train without --from`,
  )
}

function metricDifferences(old: FeatureSchema, now: FeatureSchema): string[] {
  // The order of the metrics is that of the features.
  const names = (schema: FeatureSchema): string[] =>
    schema.metrics.map(({ name, sensors }) => `${name} (${sensors.join(', ')})`)
  const [before, after] = [names(old), names(now)]
  const missing = before.filter((name) => !after.includes(name))
  const fresh = after.filter((name) => !before.includes(name))
  const some = (list: string[]): string => `${list.slice(0, 3).join(', ')}${list.length > 3 ? ' …' : ''}`
  if (missing.length + fresh.length === 0) {
    return before.join() === after.join() ? [] : ['the metrics come in another order']
  }
  const lacking = (list: string[], where: string): string[] => {
    if (list.length === 0) return []
    return [
      `${list.length} ${list.length === 1 ? 'metric is' : 'metrics are'} not in ${where}: ${some(list)}`,
    ]
  }
  return [...lacking(missing, 'the history'), ...lacking(fresh, 'the model')]
}

function difference(name: string, old: unknown, now: unknown): string[] {
  const [before, after] = [JSON.stringify(old), JSON.stringify(now)]
  return before === after ? [] : [`${name} ${before} in the model, ${after} here`]
}

function sizesOf({ manifest }: Bundle): { hidden: number[]; code: number; centres: number } {
  const { widths, codeLayer } = manifest.network
  return {
    hidden: widths.slice(1, codeLayer),
    code: widths[codeLayer] ?? 0, // the manifest's schema has it
    centres: manifest.modes.length,
  }
}

/** The options of a training that starts from an old model: its sizes, and fewer epochs unless they are configured. */
export function warmOptions(options: ModelOptions, old: OldModel, training: TrainingConfig): ModelOptions {
  const { layerwise: _, ...rest } = options
  const epochs = training.pretrain.epochs ?? Math.max(1, Math.round(WARM_EPOCHS * options.pretrain.epochs))
  const { hidden, code, centres } = sizesOf(old.bundle)
  return {
    ...rest,
    hidden,
    code,
    pretrain: { ...options.pretrain, epochs },
    cluster: { ...options.cluster, centres },
  }
}
