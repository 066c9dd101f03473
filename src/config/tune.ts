/** Configuration keys of the hyper-parameter search, read by `tune`. */
import Type from 'typebox'
import { type Dimension, isRange, type SpaceConfig } from './choices.ts'
import { type SchemaNode, section, size } from './kinds.ts'
import { TrainingSchema } from './training.ts'

/** Keys that decide the windows or what they are calibrated for: trials share them, or could not be compared. */
const SHARED_BY_TRIALS = [
  'preset',
  'window',
  'every',
  'statistics',
  'ddof',
  'holdout',
  'false_flags_per_node_week',
  'seed',
]

/** The schema of choices for each key of a section of `training`. */
function spaceOf(node: SchemaNode, description: string): SchemaNode {
  const entries = Object.entries(node.properties ?? {})
    .filter(([key]) => !SHARED_BY_TRIALS.includes(key))
    .map(([key, inner]): [string, SchemaNode] => [
      key,
      inner.type === 'object' ? spaceOf(inner, inner.description ?? '') : choicesOf(inner),
    ])
  return { type: 'object', properties: Object.fromEntries(entries), additionalProperties: false, description }
}

function choicesOf({ default: _, examples: __, ...node }: SchemaNode): SchemaNode {
  const notes = {
    ...(node.description === undefined ? {} : { description: node.description }),
    ...(node['x-unit'] === undefined ? {} : { 'x-unit': node['x-unit'] }),
  }
  const list = { items: node, minItems: 1, uniqueItems: true, ...notes }
  if (!isNumeric(node)) return { type: 'array', ...list }
  return {
    type: ['array', 'object'],
    'x-kind': 'choices',
    ...list,
    properties: {
      min: { ...node, description: 'Least value.' },
      max: { ...node, description: 'Greatest value.' },
      scale: { enum: ['linear', 'log'], default: 'linear', description: 'How values are spread.' },
    },
    required: ['min', 'max'],
    additionalProperties: false,
  }
}

function isNumeric({ type }: SchemaNode): boolean {
  return type === 'integer' || type === 'number'
}

const SpaceSchema = spaceOf(
  TrainingSchema as unknown as SchemaNode,
  'For keys of `training`, a list of values, each as likely, or for numbers a range of `min`, `max` and `scale` (`linear`, or `log` for which each decade is as likely): `code: {min: 4, max: 32, scale: log}`. What stands here replaces the whole default space, which grows with the data and tries the configuration as it stands too; keys that are not searched keep their value of `training`.',
)

/** Whether a key of the space, written as `pretrain.batch`, holds whole numbers. */
export function isWhole(key: string): boolean {
  const node = key
    .split('.')
    .reduce<SchemaNode | undefined>((inner, part) => inner?.properties?.[part], SpaceSchema)
  return node?.items?.type === 'integer'
}

/** Number of different points, Infinity with a range of real numbers. */
export function spaceSize(space: readonly Dimension[]): number {
  return space.reduce((product, { key, choices }) => {
    if (!isRange(choices)) return product * choices.length
    if (choices.min === choices.max) return product
    return product * (isWhole(key) ? choices.max - choices.min + 1 : Number.POSITIVE_INFINITY)
  }, 1)
}

export const TuneSchema = section(
  {
    trials: Type.Integer({
      minimum: 1,
      default: 27,
      description: 'Points of the space that are tried.',
    }),
    strategy: Type.Enum(['random', 'halving'], {
      default: 'halving',
      description:
        '`random` trains every trial in full; `halving` starts all with few epochs and trains only the best ones longer (successive halving).',
    }),
    reduction: Type.Integer({
      minimum: 2,
      default: 3,
      description: 'Of `halving`: one in so many goes on to the next rung, with so many times the epochs.',
    }),
    min_epochs: Type.Integer({
      minimum: 1,
      default: 4,
      'x-unit': 'epochs',
      description:
        'Of `halving`: no rung has fewer. The last rung has those of `training.pretrain.epochs`; the steps of the clustering grow in proportion.',
    }),
    criterion: Type.Enum(['auto', 'average-precision', 'auroc', 'synthetic'], {
      default: 'auto',
      description:
        'What ranks trials: average precision or AUROC on labelled held-out windows, or average precision on synthetic faults in held-out normal windows. `auto` takes labels where the held-out windows have them.',
    }),
    parallel: Type.Optional(
      Type.Integer({
        minimum: 1,
        'x-unit': 'processes',
        'x-otherwise': 'one a core',
        description: 'Trials at a time, each with its share of the cores.',
      }),
    ),
    memory: Type.Optional(
      size({
        'x-otherwise': 'half of the memory of the machine',
        description: 'Of all trials together; the next one waits while it would not fit.',
        examples: ['4GiB'],
      }),
    ),
    seed: Type.Integer({
      minimum: 0,
      maximum: 4_294_967_295,
      default: 1,
      description: 'Same seed and space: same trials, in the same order.',
    }),
    space: Type.Optional(Type.Unsafe<SpaceConfig>(SpaceSchema)),
  },
  { default: {}, description: 'Hyper-parameter search. Read by `tune` only.' },
)
