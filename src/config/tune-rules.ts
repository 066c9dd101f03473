/** Checks of the search space that a schema cannot say: before the history is read, and with what is known of it. */
import { type Choices, dimensions, isRange } from './choices.ts'
import type { Rule } from './document.ts'
import { type Path, problem } from './problems.ts'
import type { Config } from './schema.ts'
import { type Bytes, formatSize } from './size.ts'
import { spaceSize } from './tune.ts'

const placeOf = (key: string): Path => ['tune', 'space', ...key.split('.')]

/** A range has a lower and an upper end, and logarithms want both above zero. */
const ranges: Rule<Config> = {
  reads: ['tune'],
  check: ({ tune }) =>
    dimensions(tune.space ?? {}).flatMap(({ key, choices }) => {
      if (!isRange(choices)) return []
      const { min, max, scale } = choices
      return [
        ...(min > max ? [problem([...placeOf(key), 'min'], `${min} is above max (${max})`)] : []),
        ...(scale === 'log' && min <= 0
          ? [problem([...placeOf(key), 'min'], `${min} has no logarithm; above 0, or use scale: linear`)]
          : []),
      ]
    }),
}

/** Something to search, and as many different points as trials. */
const size: Rule<Config> = {
  reads: ['tune'],
  check({ tune: { space, trials } }) {
    if (space === undefined) return []
    const found = dimensions(space)
    if (found.length === 0) {
      return [
        problem(['tune', 'space'], 'nothing to search; name keys of training, or leave the section out'),
      ]
    }
    // A range upside down is told by another rule; its size would be nonsense.
    if (found.some(({ choices }) => isRange(choices) && choices.min > choices.max)) return []
    const points = spaceSize(found)
    return points >= trials
      ? []
      : [problem(['tune', 'trials'], `${trials} is more than the ${points} different points of tune.space`)]
  },
}

/** Keys that the strategy or the training has no use for. */
const useless: Rule<Config> = {
  reads: ['tune', 'training'],
  check: ({ tune, training }) =>
    dimensions(tune.space ?? {}).flatMap(({ key }) => {
      if (key === 'pretrain.epochs' && tune.strategy === 'halving') {
        return [problem(placeOf(key), 'epochs are what halving allots; search them with strategy: random')]
      }
      if (key.startsWith('pretrain.layerwise.') && training.pretrain.layerwise === undefined) {
        return [
          problem(
            placeOf(key),
            'training has no such stage; give it one with training.pretrain.layerwise: {}',
          ),
        ]
      }
      return []
    }),
}

export const TUNE_RULES: readonly Rule<Config>[] = [ranges, size, useless]

/** What a search is held against once the history is read. */
export interface TuneFacts {
  features: number
  /** Training windows. */
  rows: number
  /** Held-out windows by their label. */
  labels: { anomalous: number; normal: number }
  /** Of all trials together, and what the largest of them is expected to need. */
  memory: Bytes
  needed: Bytes
}

export function rulesOfData(facts: TuneFacts): readonly Rule<Config>[] {
  return [fits(facts), hasLabels(facts), hasMemory(facts)]
}

/** A criterion by labels needs windows of both classes. */
function hasLabels({ labels }: TuneFacts): Rule<Config> {
  return {
    reads: ['tune'],
    check({ tune: { criterion } }) {
      if (criterion === 'auto' || criterion === 'synthetic') return []
      if (labels.anomalous > 0 && labels.normal > 0) return []
      const found = `the held-out windows hold ${labels.anomalous} labelled anomalous and ${labels.normal} labelled normal`
      return [problem(['tune', 'criterion'], `${criterion} needs labels of both classes, but ${found}`)]
    },
  }
}

/** Room for one trial at least. */
function hasMemory({ memory, needed }: TuneFacts): Rule<Config> {
  return {
    reads: ['tune'],
    check: () =>
      memory >= needed
        ? []
        : [
            problem(
              ['tune', 'memory'],
              `${formatSize(memory)} is below the ${formatSize(needed)} that the largest trial is expected to need`,
            ),
          ],
  }
}

/** A code no larger than the input, centres and batches no more than windows. */
function fits({ features, rows }: TuneFacts): Rule<Config> {
  const limits: Record<string, [number, string]> = {
    code: [features, `the ${features} features of this history`],
    centres: [rows, `the ${rows} training windows of this history`],
    'pretrain.batch': [rows, `the ${rows} training windows of this history`],
    'cluster.batch': [rows, `the ${rows} training windows of this history`],
  }
  return {
    reads: ['tune'],
    check: ({ tune }) =>
      dimensions(tune.space ?? {}).flatMap(({ key, choices }) => {
        const [limit, what] = limits[key] ?? []
        if (limit === undefined) return []
        return numbersOf(choices)
          .filter(({ value }) => value > limit)
          .map(({ at, value }) => problem([...placeOf(key), at], `${value} is more than ${what}`))
      }),
  }
}

/** The numbers that stand in choices, with the last part of their path. */
function numbersOf(choices: Choices): { at: string | number; value: number }[] {
  if (isRange(choices)) return [{ at: 'max', value: choices.max }]
  return choices.flatMap((value, at) => (typeof value === 'number' ? [{ at, value }] : []))
}
