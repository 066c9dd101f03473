/** The manifest of a bundle: everything about a model but its tensors. */
import Type from 'typebox'
import { STATISTICS } from '../windows/schema.ts'

const numbers = Type.Array(Type.Number())
const count = Type.Integer({ minimum: 0 })
const sha = Type.String({ pattern: '^[0-9a-f]{64}$' })

const FeatureSchemaSchema = Type.Object({
  lengthSeconds: Type.Number({ exclusiveMinimum: 0 }),
  everySeconds: Type.Number({ exclusiveMinimum: 0 }),
  statistics: Type.Array(Type.Enum([...STATISTICS]), { minItems: 1 }),
  ddof: Type.Union([Type.Literal(0), Type.Literal(1)]),
  metrics: Type.Array(
    Type.Object({
      name: Type.String({ minLength: 1 }),
      sensors: Type.Array(Type.String({ minLength: 1 }), { minItems: 1 }),
      expectedSamples: Type.Union([Type.Number(), Type.Null()]),
    }),
    { minItems: 1 },
  ),
  transforms: Type.Array(Type.Enum(['none', 'log1p'])),
})

const change = Type.Object({ before: Type.Number(), after: Type.Number() })
const pair = Type.Tuple([Type.Number(), Type.Number()])

/** What a retraining has changed, seen on `windows` windows of the new training. */
export const MovedSchema = Type.Object({
  /** Version of the model that it started from. */
  from: Type.String(),
  windows: count,
  /** Mean squared residual a feature, each in the scaled units of its model. */
  error: change,
  threshold: change,
  /** Share of the windows whose mode is not the one that theirs was matched with. */
  changedMode: Type.Number(),
  modes: Type.Array(
    Type.Object({
      mode: count,
      /** The old mode that most of its windows had. */
      was: count,
      shareBefore: Type.Number(),
      shareAfter: Type.Number(),
      /** Distance between the two centres by the spread of the new mode's codes around its centre. */
      moved: Type.Number(),
    }),
  ),
  /** The fleet's ranges that changed most, in raw units; `change` is that of both ends, by the old range. */
  ranges: Type.Array(
    Type.Object({ feature: Type.String(), before: pair, after: pair, change: Type.Number() }),
  ),
})

const TrainingSchema = Type.Object({
  preset: Type.Enum(['default', 'report']),
  seed: count,
  layout: Type.String(),
  /** sha256 over the windows that training saw. */
  fingerprint: sha,
  /** Span of the training windows, ms since the epoch. */
  fromMs: Type.Number(),
  toMs: Type.Number(),
  windows: count,
  /** Labelled anomalous or too thinly covered, and so kept from training. */
  leftOut: Type.Object({ anomalous: count, coverage: count }),
  /** What the presets, the configuration and the size of the data came to. */
  options: Type.Record(Type.String(), Type.Unknown()),
  /** Mean squared error a feature of each epoch. */
  pretrainLoss: numbers,
  /** Of the autoencoder over all training windows, before and after DEC; missing in bundles made before it was kept. */
  reconstruction: Type.Optional(Type.Object({ before: Type.Number(), after: Type.Number() })),
  /** What the autoencoder must be better than, in the same unit; missing in bundles made before it was kept. */
  baselineErrors: Type.Optional(Type.Object({ meanPredictor: Type.Number(), pca: Type.Number() })),
  updates: Type.Array(
    Type.Object({
      iteration: count,
      changed: Type.Number(),
      divergence: Type.Number(),
      squaredError: Type.Number(),
    }),
  ),
  stopped: Type.Enum(['tolerance', 'max_iterations']),
  /** Of a model that started from another one. */
  moved: Type.Optional(MovedSchema),
})

export const GuardSchema = Type.Object({
  name: Type.String(),
  result: Type.Enum(['passed', 'warning']),
  value: Type.Number(),
  limit: Type.Number(),
  message: Type.String(),
})

export const ManifestSchema = Type.Object({
  format: Type.Integer(),
  schema: FeatureSchemaSchema,
  catalogue: Type.Union([
    Type.Object({
      site: Type.String(),
      sha256: sha,
      /** Unit of each metric of the schema, where the catalogue gives one. */
      units: Type.Optional(Type.Record(Type.String(), Type.String())),
    }),
    Type.Null(),
  ]),
  network: Type.Object({ widths: Type.Array(Type.Integer({ minimum: 1 })), codeLayer: count }),
  modes: Type.Array(Type.Object({ share: Type.Number() }), { minItems: 1 }),
  scaler: Type.Object({
    kind: Type.Enum(['min-max by node', 'min-max']),
    nodes: Type.Array(Type.String()),
  }),
  training: TrainingSchema,
  calibration: Type.Object({
    windows: count,
    falseFlagRate: Type.Number(),
    threshold: Type.Number({ exclusiveMinimum: 0 }),
    weights: numbers,
    evidence: Type.Array(Type.String()),
    centre: numbers,
    spread: numbers,
    /** True when no windows were held out and the training windows had to serve. */
    inSample: Type.Boolean(),
  }),
  /** What `reference.f32` holds: scaled windows, for comparisons on the same data as the model's. */
  reference: Type.Object({
    /** First so many training windows, evenly drawn and ordered by node, … */
    train: count,
    /** … of these nodes, as [node, windows] runs; missing in bundles made before it was kept, … */
    trainNodes: Type.Optional(Type.Array(Type.Tuple([count, count]))),
    /** … then calibration windows in the order of node and time: [node, windows] runs. */
    calibration: Type.Array(Type.Tuple([count, count])),
  }),
  guards: Type.Array(GuardSchema),
  files: Type.Record(Type.String(), sha),
})

export type Manifest = Type.Static<typeof ManifestSchema>
export type Moved = Type.Static<typeof MovedSchema>
export type Guard = Type.Static<typeof GuardSchema>
