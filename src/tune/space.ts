/** The search space: its dimensions, the points drawn from it, and what a point means for training. */
import { type Choices, type Dimension, isRange, type SpaceConfig } from '../config/choices.ts'
import type { TrainingConfig } from '../config/schema.ts'
import { isWhole } from '../config/tune.ts'
import { createRandom, type Random } from '../model/random.ts'

/** Values of one trial by key, in the order of the dimensions. */
export type Values = Record<string, unknown>

/**
 * The first `count` different points of the stream that `seed` begins: a longer search begins with the same trials
 * as a shorter one. Needs `count` ≤ `spaceSize(space)`.
 */
export function drawTrials(space: readonly Dimension[], count: number, seed: number): Values[] {
  const random = createRandom(seed)
  const seen = new Set<string>()
  const trials: Values[] = []
  while (trials.length < count) {
    const values = Object.fromEntries(
      space.map(({ key, choices }) => [key, draw(choices, isWhole(key), random)]),
    )
    const text = JSON.stringify(values)
    if (seen.has(text)) continue
    seen.add(text)
    trials.push(values)
  }
  return trials
}

function draw(choices: Choices, whole: boolean, random: Random): unknown {
  if (!isRange(choices)) return choices[random.integer(choices.length)]
  const { min, max, scale } = choices
  // A whole number is the floor of a number below max + 1, so that both ends are as likely as what lies between.
  const top = whole ? max + 1 : max
  const at = random.uniform()
  const value = scale === 'log' ? min * (top / min) ** at : min + at * (top - min)
  return whole ? Math.min(max, Math.floor(value)) : value
}

/** `training` with the values of a trial in their places. */
export function withValues(training: TrainingConfig, values: Values): TrainingConfig {
  // The schema of the space has checked each value as that of `training` would.
  const changed = Object.entries(values).reduce<object>(
    (section, [key, value]) => put(section, key.split('.'), value),
    training,
  ) as TrainingConfig
  const { pretrain, cluster } = changed
  const layerwise = pretrain.layerwise === undefined ? {} : { layerwise: withoutIdle(pretrain.layerwise) }
  return {
    ...changed,
    pretrain: { ...withoutIdle(pretrain), ...layerwise },
    cluster: withoutIdle(cluster),
  }
}

function put(section: object, [key = '', ...rest]: readonly string[], value: unknown): object {
  const inner = (section as Record<string, object | undefined>)[key]
  return { ...section, [key]: rest.length === 0 ? value : put(inner ?? {}, rest, value) }
}

/** Drops what the drawn optimiser has no use for; a configuration with it would be refused. */
function withoutIdle<S extends { optimiser?: 'sgd' | 'adam'; momentum?: number }>(stage: S): S {
  const kept = { ...stage }
  if (kept.optimiser === 'adam') delete kept.momentum
  return kept
}

/**
 * A space for any history: the size of the network about that of the defaults, the optimisers' rates around theirs.
 * Bounds follow from the number of features and training windows.
 */
export function defaultSpace(features: number, rows: number): SpaceConfig {
  const most = (limit: number, least: number, wanted: number): number =>
    Math.max(least, Math.min(wanted, limit))
  return {
    hidden: features <= 100 ? SMALL : LARGE,
    code: { min: Math.min(2, features), max: most(Math.floor(features / 2), 1, 32), scale: 'log' },
    centres: { min: 2, max: most(Math.floor(rows / LEAST_WINDOWS_A_MODE), 2, 20), scale: 'log' },
    pretrain: {
      learning_rate: { min: 3e-4, max: 1e-2, scale: 'log' },
      batch: [32, 64, 128, 256].filter((batch, i) => i === 0 || batch * LEAST_BATCHES <= rows),
    },
    cluster: {
      learning_rate: { min: 1e-5, max: 1e-3, scale: 'log' },
      gamma: { min: 0.01, max: 1, scale: 'log' },
    },
  }
}

const SMALL = [[32], [64, 32], [128, 64], [256, 128]]
const LARGE = [[128], [128, 64], [256, 128], [512, 256]]
/** As in the defaults of training: with fewer windows a mode says little. */
const LEAST_WINDOWS_A_MODE = 25
/** Batches of an epoch at least. */
const LEAST_BATCHES = 8
