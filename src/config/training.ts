/** Configuration keys of training, read by `bootstrap`. */
import Type from 'typebox'
import { STATISTICS } from '../windows/schema.ts'
import { positiveDuration, section } from './kinds.ts'

/** Keys of one training stage; the preset gives those left out. */
const stage = {
  optimiser: Type.Optional(Type.Enum(['sgd', 'adam'], { description: 'Update rule.' })),
  learning_rate: Type.Optional(Type.Number({ exclusiveMinimum: 0, description: 'Step size.' })),
  momentum: Type.Optional(
    Type.Number({ minimum: 0, exclusiveMaximum: 1, description: 'Momentum of `sgd`; `adam` has none.' }),
  ),
  schedule: Type.Optional(
    Type.Enum(['constant', 'cosine', 'step'], {
      description:
        'How the step size changes: `cosine` falls to zero over the whole stage, `step` divides by ten after every `step_epochs`.',
    }),
  ),
  step_epochs: Type.Optional(
    Type.Integer({
      minimum: 1,
      'x-unit': 'epochs',
      description: 'Of the schedule `step`: epochs at one rate; 20 where the preset has no such schedule.',
    }),
  ),
  batch: Type.Optional(Type.Integer({ minimum: 1, 'x-unit': 'windows', description: 'Windows a step.' })),
}

export const TrainingSchema = section(
  {
    preset: Type.Enum(['default', 'report'], {
      default: 'default',
      description:
        'Where values left out come from: `default` scales with the data, `report` is the published Marconi-100 report to the letter.',
    }),
    window: positiveDuration({ default: '15m', description: 'Length of a window.' }),
    every: Type.Optional(
      positiveDuration({
        'x-otherwise': 'as long as the window',
        description:
          'Distance between window starts; it divides the length. A shorter one makes windows overlap.',
      }),
    ),
    statistics: Type.Optional(
      Type.Array(Type.Enum([...STATISTICS], { description: 'A statistic.' }), {
        minItems: 1,
        uniqueItems: true,
        description: 'Statistics of each metric that make the features.',
        examples: [['avg', 'var', 'max', 'min']],
      }),
    ),
    ddof: Type.Optional(
      Type.Union([Type.Literal(0), Type.Literal(1)], {
        description: 'Of `var` and `std`: 1 for the sample variance, 0 for that of the population.',
      }),
    ),
    holdout: Type.Optional(
      Type.Number({
        minimum: 0,
        exclusiveMaximum: 1,
        'x-unit': 'share of the time span',
        description: 'Last part of the history, kept from training and used for calibration.',
        examples: [0.2],
      }),
    ),
    hidden: Type.Optional(
      Type.Array(Type.Integer({ minimum: 1, description: 'Units of a layer.' }), {
        minItems: 1,
        'x-unit': 'units',
        description: 'Hidden layers of the encoder, outermost first; the decoder mirrors them.',
        examples: [[500, 500, 2000]],
      }),
    ),
    code: Type.Optional(
      Type.Integer({ minimum: 1, 'x-unit': 'dimensions', description: 'Size of the code.' }),
    ),
    centres: Type.Optional(
      Type.Integer({ minimum: 2, description: 'Number of centres k, the operating modes.' }),
    ),
    pretrain: section(
      {
        ...stage,
        epochs: Type.Optional(
          Type.Integer({ minimum: 1, 'x-unit': 'epochs', description: 'Passes over the training windows.' }),
        ),
        initialiser: Type.Optional(
          Type.Enum(['variance-scaling', 'normal-0.01'], {
            description:
              'Weights to start from: `variance-scaling` is uniform with variance 1/(3 × inputs of the layer), `normal-0.01` is N(0, 0.01²) as in the report.',
          }),
        ),
        layerwise: Type.Optional(
          section(
            {
              ...stage,
              epochs: Type.Integer({
                minimum: 1,
                default: 20,
                'x-unit': 'epochs',
                description: 'Passes over the training windows for each layer.',
              }),
              dropout: Type.Number({
                minimum: 0,
                exclusiveMaximum: 1,
                default: 0.2,
                'x-unit': 'share of the units',
                description: 'Units that a step drops, of the inputs of a layer and of the layer.',
              }),
            },
            {
              description:
                'Greedy layer-wise denoising pretraining before the autoencoder is trained as a whole, as the DEC authors do; left out, there is none. Other keys left out are those of `pretrain`.',
            },
          ),
        ),
      },
      { default: {}, description: 'Training of the autoencoder.' },
    ),
    cluster: section(
      {
        ...stage,
        update_interval: Type.Optional(
          Type.Integer({
            minimum: 1,
            'x-unit': 'steps',
            description: 'Distance between two updates of the target distribution.',
          }),
        ),
        tolerance: Type.Optional(
          Type.Number({
            minimum: 0,
            maximum: 1,
            'x-unit': 'share of the windows',
            description:
              'Training ends when fewer windows than this change their centre between two updates.',
          }),
        ),
        max_iterations: Type.Optional(
          Type.Integer({
            minimum: 1,
            'x-unit': 'steps',
            description: 'Training ends at the latest after this.',
          }),
        ),
        gamma: Type.Optional(
          Type.Number({
            minimum: 0,
            description: 'Weight of the clustering loss beside the reconstruction loss.',
          }),
        ),
        reconstruction: Type.Optional(
          Type.Number({
            minimum: 0,
            'x-otherwise': '1',
            description:
              'Weight of the reconstruction loss; 0 is DEC as first published, which moves the encoder alone.',
          }),
        ),
      },
      { default: {}, description: 'Training of the centres (DEC).' },
    ),
    false_flags_per_node_week: Type.Number({
      exclusiveMinimum: 0,
      default: 1,
      'x-unit': 'windows a node and week',
      description: 'False flags that the calibrated threshold aims at.',
    }),
    seed: Type.Integer({
      minimum: 0,
      maximum: 4_294_967_295,
      default: 1,
      description: 'Same seed, history and machine: same model.',
    }),
  },
  {
    default: {},
    description: 'Read by `bootstrap` only. Keys without a default take the value of the preset.',
  },
)
