import { ModelError } from './errors.ts'
import type { Layer, Network } from './network.ts'
import type { Optimiser } from './optimisers.ts'
import type { Random, RandomState } from './random.ts'
import type { Batch, Rows } from './rows.ts'
import { type Schedule, scheduledRate } from './schedule.ts'
import { type Renewed, reconstructionError, SoftAssignment } from './soft-assignment.ts'
import { startCentres } from './start-centres.ts'
import type { StepperState } from './stepper.ts'
import { Encoder, type StepLoss, Trainer } from './trainer.ts'

export interface ClusterOptions {
  optimiser: Optimiser
  learningRate: number
  /** Over `maxIterations` steps. */
  schedule: Schedule
  batch: number
  centres: number
  /** Weights of KL(p‖q) and of the reconstruction error; the latter is 1 by default, and 0 trains the encoder alone. */
  gamma: number
  reconstruction?: number
  /** Steps between two updates of the target distribution. */
  updateInterval: number
  /** Training stops when a smaller share of rows than this changes its centre between two updates. */
  tolerance: number
  maxIterations: number
  /** False takes the rows in order, as the report does. */
  shuffle: boolean
}

/** What training says at each update of the target distribution; losses are means over the steps since the last. */
export interface DecUpdate {
  iteration: number
  /** Share of the rows whose most likely centre changed. */
  changed: number
  /** KL(p‖q) a row, without γ. */
  divergence: number
  /** Mean squared error a feature. */
  squaredError: number
}

export interface Clustered {
  layers: Layer[]
  /** k × c. */
  centres: Float32Array
  /** Share of the rows nearest to each centre. */
  shares: number[]
  updates: DecUpdate[]
  stopped: 'tolerance' | 'max_iterations'
  /** Mean squared error a feature over all rows, of the autoencoder as it came and as it left. */
  reconstruction: { before: number; after: number }
}

/** Everything that training after an update of the target distribution depends on, as plain data. */
export interface DecState {
  trainer: StepperState
  iteration: number
  /** Where the batches are: the stream of random numbers before the pass, and the batches of it that are done. */
  pass: { random: RandomState; done: number }
  updates: DecUpdate[]
  before: number
}

export interface DecExtra {
  /** Stops between two steps. */
  signal?: AbortSignal | undefined
  threads?: number | undefined
  /** Where what does not fit memory goes, by default the system's temporary directory. */
  directory?: string | undefined
  /** Centres to start from, k × c, in place of those of k-means. */
  centres?: Float32Array | undefined
  /** Goes on from here, bit for bit, in place of the start. */
  state?: DecState | null | undefined
  /** Called after each update; what `state` returns is valid at once only, and can be handed in later. */
  onState?: ((state: () => DecState) => void) | undefined
}

/** @throws ModelError where there are more centres than rows. */
export function checkCentres(rows: number, { centres }: Pick<ClusterOptions, 'centres'>): void {
  if (rows >= centres) return
  throw new ModelError(
    'too_little_data',
    `${rows} training windows can't fill ${centres} centres; lower training.centres`,
  )
}

/**
 * Deep Embedded Clustering (Xie, Girshick & Farhadi 2016), with reconstruction (Guo, Gao, Liu & Yin 2017): centres start
 * from k-means on the codes; then encoder, decoder and centres follow γ·KL(p‖q) + reconstruction·MSE, where the target
 * p ∝ q²/f is taken over the whole set and renewed every `updateInterval` steps. `onUpdate` may throw to end the run.
 */
export async function trainDec(
  rows: Rows,
  network: Network,
  pretrained: readonly Layer[],
  options: ClusterOptions,
  random: Random,
  onUpdate: (update: DecUpdate, whole: Renewed) => void,
  extra: DecExtra = {},
): Promise<Clustered> {
  checkCentres(rows.rows, options)
  const encoder = await Encoder.create(network, options.centres, extra.threads)
  const assignment = new SoftAssignment(rows.rows, options.centres, extra.directory)
  let trainer: Trainer | null = null
  try {
    trainer = await startTrainer(rows, network, pretrained, options, random, encoder, extra)
    return await follow({ rows, options, random, onUpdate, extra, encoder, assignment, trainer })
  } finally {
    await trainer?.release()
    await encoder.release()
    assignment.release()
  }
}

async function startTrainer(
  rows: Rows,
  network: Network,
  pretrained: readonly Layer[],
  { optimiser, centres: k, gamma, reconstruction = 1 }: ClusterOptions,
  random: Random,
  encoder: Encoder,
  extra: DecExtra,
): Promise<Trainer> {
  const clustering = { centres: k, gamma, reconstruction }
  if (extra.state != null) {
    return Trainer.restore(network, extra.state.trainer, optimiser, clustering, extra.threads)
  }
  const initial = extra.centres ?? (await startCentres(rows, encoder, pretrained, random, extra))
  return Trainer.create(network, pretrained, optimiser, { ...clustering, initial }, extra.threads)
}

interface Run {
  rows: Rows
  options: ClusterOptions
  random: Random
  onUpdate: (update: DecUpdate, whole: Renewed) => void
  extra: DecExtra
  encoder: Encoder
  assignment: SoftAssignment
  trainer: Trainer
}

/** The loop: steps on batches, and every `updateInterval` steps a look at the whole set. */
async function follow(run: Run): Promise<Clustered> {
  const { rows, options, assignment, trainer } = run
  const { signal, state } = run.extra
  const renew = (): Promise<Renewed> =>
    assignment.renew(rows, run.encoder, trainer.layers(), trainer.centres(), signal)
  const reconstruct = (): Promise<number> => reconstructionError(rows, run.encoder, trainer.layers(), signal)
  const updates = [...(state?.updates ?? [])]
  const walk = new BatchWalk(rows, options, run.random, state?.pass ?? null)
  const sums = new LossSums(rows.features)
  const target = new Float32Array(options.batch * options.centres)
  const stepsPerEpoch = Math.ceil(rows.rows / options.batch)
  let stopped: Clustered['stopped'] = 'max_iterations'
  let before = state?.before ?? Number.NaN
  let iteration = state?.iteration ?? 0
  /** Of the parameters as they are; null once a step has changed them. */
  let whole: Renewed | null = null
  // A state is taken after an update, whose q has to be found again.
  if (state != null) whole = await renew()
  for await (const { x, positions, n } of walk.batches()) {
    signal?.throwIfAborted()
    if (iteration === options.maxIterations) break
    if (iteration % options.updateInterval === 0 && iteration !== state?.iteration) {
      whole = await renew()
      const { changed } = whole
      if (iteration === 0) before = await reconstruct()
      const update = { iteration, changed, ...sums.take() }
      if (![update.divergence, update.squaredError, ...assignment.mass].every(Number.isFinite)) {
        throw diverged(iteration, options)
      }
      updates.push(update)
      run.onUpdate(update, whole)
      if (iteration > 0 && changed < options.tolerance) {
        stopped = 'tolerance'
        break
      }
      const now = { iteration, before, updates: [...updates] }
      run.extra.onState?.(() => ({ ...now, trainer: trainer.state(), pass: walk.position() }))
    }
    assignment.target(positions, target)
    const at = { step: iteration, total: options.maxIterations, stepsPerEpoch }
    const rate = scheduledRate(options.learningRate, options.schedule, at)
    sums.add(await trainer.step(x, n, rate, target), n)
    iteration++
    whole = null
  }
  const { shares } = whole ?? (await renew())
  const after = await reconstruct()
  if (!Number.isFinite(after) || assignment.mass.some(Number.isNaN)) throw diverged(iteration, options)
  return {
    layers: trainer.layers(),
    centres: trainer.centres(),
    shares,
    updates,
    stopped,
    reconstruction: { before, after },
  }
}

function diverged(iteration: number, { learningRate }: ClusterOptions): ModelError {
  return new ModelError(
    'diverged',
    `DEC diverged before iteration ${iteration}; lower training.cluster.learning_rate (now ${learningRate})`,
  )
}

/** Losses since they were last taken. */
class LossSums {
  private divergence = 0
  private squaredError = 0
  private rows = 0
  private readonly features: number

  constructor(features: number) {
    this.features = features
  }

  add(loss: StepLoss, rows: number): void {
    this.divergence += loss.divergence
    this.squaredError += loss.squaredError
    this.rows += rows
  }

  /** Means, 0 before the first step; starts anew. */
  take(): { divergence: number; squaredError: number } {
    const rows = Math.max(1, this.rows)
    const means = {
      divergence: this.divergence / rows,
      squaredError: this.squaredError / (rows * this.features),
    }
    this.divergence = this.squaredError = this.rows = 0
    return means
  }
}

/** Batches of one pass over the rows after the other, without end, from a place that can be told and gone back to. */
class BatchWalk {
  private readonly rows: Rows
  private readonly options: Pick<ClusterOptions, 'batch' | 'shuffle'>
  private readonly random: Random
  private start: RandomState
  private done: number

  constructor(
    rows: Rows,
    options: Pick<ClusterOptions, 'batch' | 'shuffle'>,
    random: Random,
    from: DecState['pass'] | null,
  ) {
    this.rows = rows
    this.options = options
    this.random = random
    if (from !== null) random.restore(from.random)
    this.start = random.state()
    this.done = from?.done ?? 0
  }

  async *batches(): AsyncGenerator<Batch> {
    const { batch, shuffle } = this.options
    for (;;) {
      this.start = this.random.state()
      for await (const each of this.rows.batches(batch, { shuffle, random: this.random, from: this.done })) {
        yield each
        this.done++
      }
      this.done = 0
    }
  }

  /** The place before the batch last handed out. */
  position(): DecState['pass'] {
    return { random: this.start, done: this.done }
  }
}
