import { createHash } from 'node:crypto'
import type { TrainingConfig } from '../config/schema.ts'
import { calibrate } from '../detect/calibrate.ts'
import { SCALE_WEIGHTS } from '../detect/memory.ts'
import { fitPca } from '../evaluate/baselines.ts'
import type { Catalogue } from '../examon/catalogue.ts'
import type { History } from '../history/types.ts'
import { meanPredictorError, trainAutoencoder } from '../model/autoencoder.ts'
import { checkReplaceable, writeBundle } from '../model/bundle.ts'
import { type Clustered, trainDec } from '../model/dec.ts'
import { ModelError } from '../model/errors.ts'
import type { Guard } from '../model/manifest.ts'
import { createNetwork, type Network } from '../model/network.ts'
import { createRandom } from '../model/random.ts'
import { ScaledRows } from '../model/rows.ts'
import { fitScaler, type Scaler } from '../model/scaler.ts'
import { Scorer } from '../model/scorer.ts'
import { EVIDENCE, scoringGraph } from '../model/scoring.ts'
import { learnExpectedSamples, storeCoverage } from '../windows/coverage.ts'
import { type FeatureSchema, featureCount } from '../windows/schema.ts'
import { WindowStore } from '../windows/store.ts'
import { chooseFeatures } from './features.ts'
import { checkGuards } from './guards.ts'
import { type ModelOptions, modelOptions, selectionOptions, windowOptions } from './presets.ts'
import { learnProfiles, scoreRows } from './profiles.ts'
import { drawReference } from './reference.ts'
import { type Selection, selectWindows } from './select.ts'

/** How a long work tells of itself; `cli/output.ts` draws it. */
export interface Progress {
  step(
    name: string,
    total?: number,
  ): { advance(done: number, note?: string): void; finish(note?: string): void }
}

export interface BootstrapRequest {
  history: History
  catalogue: Catalogue | null
  training: TrainingConfig
  out: string
  progress: Progress
  signal?: AbortSignal
}

export interface BootstrapResult {
  out: string
  version: string
  nodes: number
  windows: { read: number; trained: number; calibrated: number; anomalous: number; thin: number }
  features: number
  autoencoder: { error: number; meanPredictor: number; pca: number }
  modes: number[]
  dec: { iterations: number; stopped: Clustered['stopped'] }
  threshold: number
  guards: Guard[]
}

/** PCA for the guard looks at this many training windows at most. */
const PCA_ROWS = 20_000
const WEEK_SECONDS = 7 * 86_400

/** History → windows → scaler → autoencoder → DEC → calibration → bundle. */
export async function bootstrap(request: BootstrapRequest): Promise<BootstrapResult> {
  const { history, training, progress, signal } = request
  checkReplaceable(request.out)
  const schema = chooseFeatures(history, request.catalogue, windowOptions(training))
  const store = new WindowStore(featureCount(schema), schema.metrics.length)
  try {
    const fingerprint = await readWindows(history, schema, store, progress, signal)
    const expected = learnExpectedSamples(store)
    schema.metrics.forEach((metric, m) => {
      metric.expectedSamples = history.fixed === null ? (expected[m] ?? null) : 1
    })
    const selecting = selectionOptions(training)
    const selection = selectWindows(store, storeCoverage(schema, store), selecting)
    const scaling = progress.step('fit scaler')
    const scaler = fitScaler(store, history.nodes, schema.transforms, selection.train, {
      plain: selecting.plainScaler,
    })
    scaling.finish(`${history.nodes.length} nodes`)
    const options = modelOptions(training, store.features, selection.train.length)
    const rows = await ScaledRows.create(store, scaler, selection.train)
    try {
      const trained = await train(rows, options, training.seed, progress, signal)
      return await publish(request, {
        schema,
        store,
        selection,
        scaler,
        options,
        fingerprint,
        rows,
        ...trained,
      })
    } finally {
      await rows.release()
    }
  } finally {
    store.close()
  }
}

/** Spills all windows into the store; returns the sha256 over them. */
async function readWindows(
  history: History,
  schema: FeatureSchema,
  store: WindowStore,
  progress: Progress,
  signal?: AbortSignal,
): Promise<string> {
  const step = progress.step('read windows', history.toMs - history.fromMs)
  const hash = createHash('sha256').update(history.nodes.join('\n'))
  for await (const block of history.windows(schema, signal === undefined ? {} : { signal })) {
    store.append(block)
    for (const data of [block.node, block.start, block.values, block.label]) {
      hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
    }
    const at = block.start[block.rows - 1] ?? history.fromMs
    step.advance(at - history.fromMs, `${store.rows} windows`)
  }
  step.finish(`${store.rows} windows of ${history.nodes.length} nodes, ${store.features} features`)
  return hash.digest('hex')
}

interface Trained {
  network: Network
  losses: number[]
  meanPredictor: number
  dec: Clustered
}

async function train(
  rows: ScaledRows,
  options: ModelOptions,
  seed: number,
  progress: Progress,
  signal?: AbortSignal,
): Promise<Trained> {
  const random = createRandom(seed)
  const meanPredictor = await meanPredictorError(rows)
  if (meanPredictor === 0) {
    throw new ModelError(
      'too_little_data',
      'no feature varies over the training windows: there is nothing to learn from',
    )
  }
  const network = createNetwork(rows.features, options.hidden, options.code)
  const pretraining = progress.step('train autoencoder', options.pretrain.epochs)
  let last = 0
  const pretrained = await trainAutoencoder(
    rows,
    network,
    options.pretrain,
    random,
    (epoch, loss) => {
      last = loss
      pretraining.advance(epoch, `loss ${loss.toPrecision(3)}`)
    },
    signal,
  )
  pretraining.finish(
    `${options.pretrain.epochs} epochs, loss ${last.toPrecision(3)} (mean predictor ${meanPredictor.toPrecision(3)})`,
  )
  const clustering = progress.step('train DEC', options.cluster.maxIterations)
  const dec = await trainDec(
    rows,
    network,
    pretrained.layers,
    options.cluster,
    random,
    ({ iteration, changed }) => clustering.advance(iteration, `${(100 * changed).toFixed(1)} % changed`),
    signal,
  )
  clustering.finish(`${dec.updates.at(-1)?.iteration ?? 0} iterations, stopped by ${dec.stopped}`)
  return { network, losses: pretrained.losses, meanPredictor, dec }
}

interface Made extends Trained {
  schema: FeatureSchema
  store: WindowStore
  selection: Selection
  scaler: Scaler
  options: ModelOptions
  fingerprint: string
  rows: ScaledRows
}

/** Calibrates, checks the guards and writes the bundle. */
async function publish(request: BootstrapRequest, made: Made): Promise<BootstrapResult> {
  const { store, selection, scaler, options, dec, network, schema, rows } = made
  const { training, signal } = request
  const step = request.progress.step('calibrate')
  const modes = dec.shares.length
  const plain = await Scorer.create(
    scoringGraph(network, dec.layers, dec.centres, scaler, null),
    store.features,
  )
  const profiles = await learnProfiles(store, selection.train, selection.calibration, plain, modes, signal)
  await plain.release()
  const model = scoringGraph(network, dec.layers, dec.centres, scaler, profiles)
  const scorer = await Scorer.create(model, store.features)
  const { evidence, clipped } = await collectEvidence(store, selection.calibration, scorer, signal)
  await scorer.release()
  const windowsAWeek = WEEK_SECONDS / schema.everySeconds
  const calibration = calibrate(
    {
      rows: selection.calibration.length,
      node: selection.calibration.map((row) => store.node[row]!),
      evidence,
    },
    Math.min(0.5, training.false_flags_per_node_week / windowsAWeek),
  )
  step.finish(`threshold at ${calibration.threshold.toFixed(1)} spreads from ${calibration.windows} windows`)

  const autoencoderError = made.losses.at(-1) ?? Number.NaN
  const components = Math.min(options.code, rows.features - 1, rows.rows - 1)
  // With one feature no component is left: PCA without any is the mean predictor.
  const pca = components === 0 ? made.meanPredictor : await pcaError(rows, components)
  const guards = checkGuards({
    autoencoderError,
    meanPredictorError: made.meanPredictor,
    pcaError: pca,
    code: options.code,
    shares: dec.shares,
    clipped,
    beatPca: training.preset === 'report',
  })
  signal?.throwIfAborted()
  const starts = selection.train
  const reference = await drawReference(store, scaler, selection)
  const version = writeBundle(request.out, {
    manifest: {
      schema,
      catalogue:
        request.catalogue === null
          ? null
          : {
              site: request.catalogue.site,
              sha256: createHash('sha256').update(JSON.stringify(request.catalogue)).digest('hex'),
            },
      network,
      modes: dec.shares.map((share) => ({ share })),
      scaler: {
        kind: training.preset === 'report' ? 'min-max' : 'min-max by node',
        nodes: scaler.nodes,
      },
      training: {
        preset: training.preset,
        seed: training.seed,
        layout: request.history.layout,
        fingerprint: made.fingerprint,
        fromMs: store.start[starts[0] ?? 0] ?? 0,
        toMs: (store.start[starts.at(-1) ?? 0] ?? 0) + schema.lengthSeconds * 1000,
        windows: selection.train.length,
        leftOut: selection.leftOut,
        options: { ...options },
        pretrainLoss: made.losses,
        updates: dec.updates,
        stopped: dec.stopped,
      },
      calibration: {
        windows: calibration.windows,
        falseFlagRate: calibration.falseFlagRate,
        threshold: calibration.threshold,
        weights: [...SCALE_WEIGHTS],
        evidence: [...EVIDENCE],
        centre: calibration.centre,
        spread: calibration.spread,
        inSample: selection.inSample,
      },
      reference: { train: reference.train, calibration: reference.calibration },
      guards,
    },
    model,
    reference: reference.rows,
    combined: calibration.combined,
  })
  return {
    out: request.out,
    version,
    nodes: scaler.nodes.length,
    windows: {
      read: store.rows,
      trained: selection.train.length,
      calibrated: selection.calibration.length,
      anomalous: selection.leftOut.anomalous,
      thin: selection.leftOut.coverage,
    },
    features: store.features,
    autoencoder: { error: autoencoderError, meanPredictor: made.meanPredictor, pca },
    modes: dec.shares,
    dec: { iterations: dec.updates.at(-1)?.iteration ?? 0, stopped: dec.stopped },
    threshold: calibration.threshold,
    guards,
  }
}

async function collectEvidence(
  store: WindowStore,
  rows: Int32Array,
  scorer: Scorer,
  signal?: AbortSignal,
): Promise<{ evidence: Float32Array; clipped: number }> {
  const kinds = EVIDENCE.length
  const evidence = new Float32Array(rows.length * kinds)
  let clipped = 0
  await scoreRows(
    store,
    rows,
    scorer,
    (first, count, scores) => {
      evidence.set(scores.evidence.subarray(0, count * kinds), first * kinds)
      for (let i = 0; i < count; i++) clipped += scores.clipped[i]!
    },
    signal,
  )
  return { evidence, clipped: clipped / (rows.length * store.features) }
}

/** Mean squared error a feature of a PCA reconstruction, over at most PCA_ROWS training windows. */
async function pcaError(rows: ScaledRows, components: number): Promise<number> {
  const data = await rows.load(0)
  const n = Math.min(PCA_ROWS, data.length / rows.features)
  const errors = fitPca(data, n, rows.features, { components }).score(data, n)
  return errors.reduce((a, b) => a + b, 0) / n
}
