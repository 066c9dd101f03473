/** The search: history → prepared windows → trials in processes, rung by rung → the best as a bundle. */
import { createHash } from 'node:crypto'
import { mkdirSync, rmSync } from 'node:fs'
import { availableParallelism, totalmem } from 'node:os'
import { join } from 'node:path'
import { openPrepared, type Prepared, prepare, unfitReason } from '../bootstrap/prepare.ts'
import { modelOptions } from '../bootstrap/presets.ts'
import type { Progress } from '../bootstrap/progress.ts'
import { type BootstrapResult, publish } from '../bootstrap/publish.ts'
import { trainModel } from '../bootstrap/train.ts'
import { type Dimension, dimensions } from '../config/choices.ts'
import type { TrainingConfig, TuneConfig } from '../config/schema.ts'
import type { Bytes } from '../config/size.ts'
import type { TuneFacts } from '../config/tune-rules.ts'
import type { Catalogue } from '../examon/catalogue.ts'
import type { History } from '../history/types.ts'
import { checkReplaceable } from '../model/bundle.ts'
import { ModelError } from '../model/errors.ts'
import type { Criterion } from './criterion.ts'
import { planRungs, type Rung, rank } from './halving.ts'
import { countLabels, LEAST_ANOMALOUS } from './held-out.ts'
import { Journal } from './journal.ts'
import { type Standing, writeStanding } from './leaderboard.ts'
import { expectedBytes } from './memory.ts'
import { runJobs } from './pool.ts'
import { startTrial } from './process.ts'
import { defaultSpace, drawTrials, withValues } from './space.ts'
import { type Trial, type TrialResult, trialOptions } from './trial.ts'

export interface TuneRequest {
  history: History
  catalogue: Catalogue | null
  training: TrainingConfig
  tune: TuneConfig
  out: string
  progress: Progress
  /** Told what the search is held against once the history is read; throws to refuse it. */
  check(facts: TuneFacts): void
  /** Told before the first trial, and whenever one starts or ends. */
  watch(standing: Standing, ended: TrialResult | null): void
  signal?: AbortSignal
}

export interface TuneResult {
  /** Folder of journal, leaderboard and the winner's configuration. */
  work: string
  criterion: Criterion
  rungs: Rung[]
  /** Best first. */
  leaderboard: TrialResult[]
  /** Trials that went before the winner and were refused, with the reason. */
  refused: { trial: number; reason: string }[]
  winner: TrialResult
  bundle: BootstrapResult
}

/**
 * Searches and publishes the best model. What it needs to go on after a kill is kept in `<out>.tune`: finished trials are
 * not run again.
 *
 * @throws ConfigError from `check`, JournalError when the folder holds another search, ModelError when no trial makes a model.
 */
export async function tune(request: TuneRequest): Promise<TuneResult> {
  const { out } = request
  checkReplaceable(out)
  const work = `${out.replace(/\/+$/, '')}.tune`
  mkdirSync(work, { recursive: true })
  const prepared = await openOrPrepare(request, join(work, 'prepared'))
  let result: TuneResult
  try {
    const search = plan(request, prepared)
    const journal = Journal.open(join(work, 'journal.ndjson'), identity(request, prepared, search))
    let leaderboard: TrialResult[]
    try {
      leaderboard = await runRungs(request, prepared, search, journal, work)
    } finally {
      journal.close()
    }
    result = await publishBest(request, prepared, search, leaderboard, work)
  } finally {
    await prepared.release()
  }
  // A search that was interrupted would go on with them.
  rmSync(prepared.directory, { recursive: true, force: true })
  return result
}

/** Trains in full and publishes the best trial that passes the guards. */
async function publishBest(
  { training, out, progress, signal }: TuneRequest,
  prepared: Prepared,
  { criterion, rungs }: Search,
  leaderboard: TrialResult[],
  work: string,
): Promise<TuneResult> {
  const refused: TuneResult['refused'] = []
  for (const winner of leaderboard) {
    if (winner.criterion === null) continue
    const chosen = withValues(training, winner.values)
    const options = modelOptions(chosen, prepared.rows.features, prepared.rows.rows)
    try {
      const trained = await trainModel(prepared.rows, options, chosen.seed, progress, { signal })
      const bundle = await publish(prepared, trained, { training: chosen, out, progress, signal })
      writeStanding(work, {
        criterion,
        rungs,
        ranked: leaderboard,
        winner: { result: winner, training: chosen },
      })
      return { work, criterion, rungs, leaderboard, refused, winner, bundle }
    } catch (error) {
      if (!(error instanceof ModelError)) throw error
      refused.push({ trial: winner.trial, reason: error.message })
    }
  }
  const reasons = [...refused, ...leaderboard.flatMap(failure)]
  throw new ModelError(
    'guard',
    `none of the ${leaderboard.length} trials makes a model: ${reasons[0]?.reason ?? 'no trial was run'}`,
  )
}

function failure({ trial, failed }: TrialResult): { trial: number; reason: string }[] {
  return failed === null ? [] : [{ trial, reason: failed }]
}

async function openOrPrepare(request: TuneRequest, directory: string): Promise<Prepared> {
  if (unfitReason(directory, request) === null) return openPrepared(directory)
  return prepare(request, directory)
}

interface Search {
  criterion: Criterion
  rungs: Rung[]
  /** Values of each trial. */
  drawn: TrialResult['values'][]
  limits: { parallel: number; memory: Bytes }
  threads: number
}

/** Everything that follows from the configuration and the data, before anything is run. */
function plan({ training, tune: config, check }: TuneRequest, prepared: Prepared): Search {
  const { features, rows } = prepared.rows
  const labels = countLabels(prepared)
  const memory = config.memory ?? Math.floor(totalmem() / 2)
  const space = dimensions(config.space ?? defaultSpace(features, rows))
  const drawn = trialsOf(config, space)
  const needs = drawn.map((values) =>
    expectedBytes(trialOptions(withValues(training, values), features, rows, 1), features, rows),
  )
  check({ features, rows, labels, memory, needed: Math.max(...needs) })
  const isLabelled = labels.anomalous >= LEAST_ANOMALOUS && labels.normal >= LEAST_ANOMALOUS
  const parallel = Math.min(config.parallel ?? availableParallelism(), config.trials)
  const fullEpochs = modelOptions(training, features, rows).pretrain.epochs
  return {
    criterion:
      config.criterion === 'auto' ? (isLabelled ? 'average-precision' : 'synthetic') : config.criterion,
    rungs: planRungs({ ...config, fullEpochs, minEpochs: config.min_epochs }),
    drawn,
    limits: { parallel, memory },
    threads: Math.max(1, Math.floor(availableParallelism() / parallel)),
  }
}

/**
 * Values of each trial. Where the space is not the user's own, the first has none: the configuration as it stands takes part,
 * so that a search ends with something else only where the criterion prefers that.
 */
function trialsOf({ space: own, trials, seed }: TuneConfig, space: Dimension[]): TrialResult['values'][] {
  return own === undefined ? [{}, ...drawTrials(space, trials - 1, seed)] : drawTrials(space, trials, seed)
}

/** What results depend on, so that those of an earlier run may be taken over. */
function identity({ training, tune: config }: TuneRequest, prepared: Prepared, search: Search) {
  const digest = (value: unknown): string =>
    createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 16)
  return {
    'the history': digest([prepared.fingerprint, prepared.selection]),
    'the section training': digest(training),
    'the trials (tune.space, tune.trials, tune.seed)': digest(search.drawn),
    'the rungs (tune.strategy, tune.reduction, tune.min_epochs)': digest(search.rungs),
    'the criterion': `${search.criterion}, faults of seed ${config.seed}`,
  }
}

/** Runs what the journal does not hold. Returns all trials, best first: those of the last rung before others. */
async function runRungs(
  request: TuneRequest,
  prepared: Prepared,
  search: Search,
  journal: Journal,
  work: string,
): Promise<TrialResult[]> {
  const { training, tune: config, watch, signal } = request
  const { criterion, rungs, drawn, limits, threads } = search
  const { features, rows } = prepared.rows
  const standing: Standing = { criterion, rungs, ranked: [], running: 0, resumed: journal.held }
  const latest = new Map<number, TrialResult>()
  const show = (ended: TrialResult | null): void => {
    standing.ranked = rankAll([...latest.values()])
    watch(standing, ended)
  }
  let entrants: { trial: number }[] = drawn.map((_, trial) => ({ trial }))
  for (const [rung, { trials, share }] of rungs.entries()) {
    const here: TrialResult[] = []
    const take = (result: TrialResult): void => {
      here.push(result)
      latest.set(result.trial, result)
    }
    const missing: Trial[] = []
    for (const { trial } of entrants.slice(0, trials)) {
      const found = journal.find(trial, rung)
      // The entrant numbers index the drawn values.
      if (found === undefined) missing.push({ trial, rung, values: drawn[trial]!, share })
      else take(found)
    }
    show(null)
    const expected = ({ values }: Trial): Bytes =>
      expectedBytes(trialOptions(withValues(training, values), features, rows, share), features, rows)
    const start = (trial: Trial) => {
      const running = startTrial(
        trial,
        {
          prepared: prepared.directory,
          training: withValues(training, trial.values),
          share,
          criterion,
          faultSeed: config.seed,
          threads,
        },
        expected(trial),
      )
      standing.running++
      show(null)
      const done = running.done.then((result) => {
        standing.running--
        if (signal?.aborted === true) return
        if (!result.died) journal.append(result)
        take(result)
        show(result)
      })
      return { ...running, done }
    }
    await runJobs(missing, limits, expected, start, signal)
    entrants = rank(here).filter((result) => result.criterion !== null)
  }
  const ranked = rankAll([...latest.values()])
  writeStanding(work, { criterion, rungs, ranked, winner: null })
  return ranked
}

/** Trials that got further first: their criterion comes from a longer training. */
function rankAll(results: readonly TrialResult[]): TrialResult[] {
  const last = Math.max(0, ...results.map(({ rung }) => rung))
  return Array.from({ length: last + 1 }, (_, i) => last - i).flatMap((rung) =>
    rank(results.filter((result) => result.rung === rung)),
  )
}
