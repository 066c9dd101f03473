/** What pictures need of an evaluation beyond its figures, in bounded memory beside the scores themselves. */
import type { FlagRecord } from '../detect/records.ts'
import { createRandom } from '../model/random.ts'
import type { Scores } from '../model/scorer.ts'
import type { LabelledEvent } from './events.ts'
import type { Column } from './windows.ts'

/** The window with the largest score of an episode, a run of flagged windows of one node. */
export interface PeakFlag {
  node: string
  startMs: number
  score: number
  /** 1 anomalous, 0 normal, -1 not known. */
  label: number
  mode: number
  /** Metrics with the largest shares of the evidence (their statistics together), 0 … 1, largest first. */
  shares: { metric: string; share: number }[]
  /** As in the flag record, with observed and expected values. */
  top: FlagRecord['top']
}

/** Codes of windows, for projections. All arrays have one entry, or one row, a window. */
export interface CodeSample {
  /** windows × `size`, row-major. */
  code: Float32Array
  /** Length of a code. */
  size: number
  /** Index of each window in `EvaluationDetail.start` and its neighbours. */
  window: Int32Array
  mode: Int32Array
  label: Int8Array
  score: Float64Array
}

/** All windows of the history in the order of (start, node). */
export interface EvaluationDetail {
  nodes: string[]
  /** Index into `nodes`. */
  node: Int32Array
  /** Ms since the epoch. */
  start: Float64Array
  /** 1 anomalous, 0 normal, -1 not known. */
  label: Int8Array
  /** Operating mode; -1 where not scored. */
  mode: Int32Array
  /** The model first, then the baselines; NaN where not scored, 1.0 is the threshold. */
  scores: Column[]
  events: LabelledEvent[]
  /** Largest first. */
  peaks: PeakFlag[]
  sample: CodeSample
}

/** More points than this hide each other in a scatter plot, and t-SNE takes minutes for them. */
const MOST_CODES = 2000
/** Room for windows that are labelled anomalous; what they leave goes to the others. */
const MOST_ANOMALOUS_CODES = 1000
const MOST_PEAKS = 100
const MOST_SHARES = 20

/** Gathers peaks and codes while windows pass. */
export class DetailCollector {
  private readonly metrics: readonly string[]
  private readonly statistics: number
  private readonly anomalous: Reservoir
  private readonly others: Reservoir
  /** Standing episode of each node. */
  private readonly standing = new Map<string, PeakFlag>()
  private peaks: PeakFlag[] = []

  /** `codeSize`: length of a code; `metrics` in the order of the features, each with so many `statistics`. */
  constructor(codeSize: number, metrics: readonly string[], statistics: number) {
    this.metrics = metrics
    this.statistics = statistics
    this.anomalous = new Reservoir(MOST_ANOMALOUS_CODES, codeSize, 1)
    this.others = new Reservoir(MOST_CODES, codeSize, 2)
  }

  /** Takes in window `window` of all; `scores` row `row`, or null where it was not scored. */
  take(flag: FlagRecord, window: number, label: number, scores: Scores | null, row: number): void {
    if (scores === null || flag.score === null || flag.mode === null) {
      this.endEpisode(flag.node)
      return
    }
    const size = this.anomalous.size
    const reservoir = label === 1 ? this.anomalous : this.others
    reservoir.offer({
      code: scores.code.subarray(row * size, (row + 1) * size),
      window,
      mode: flag.mode,
      label,
      score: flag.score,
    })
    if (flag.score < 1) {
      this.endEpisode(flag.node)
      return
    }
    const peak = this.standing.get(flag.node)
    if (peak !== undefined && peak.score >= flag.score) return
    this.standing.set(flag.node, {
      node: flag.node,
      startMs: Date.parse(flag.window_start),
      score: flag.score,
      label,
      mode: flag.mode,
      shares: this.shares(scores.contribution, row),
      top: flag.top,
    })
  }

  finish(): { peaks: PeakFlag[]; sample: CodeSample } {
    for (const node of [...this.standing.keys()]) this.endEpisode(node)
    const anomalous = this.anomalous.windows
    const others = this.others.windows.slice(0, MOST_CODES - anomalous.length)
    const windows = [...others, ...anomalous].sort((a, b) => a.window - b.window)
    const { size } = this.anomalous
    const code = new Float32Array(windows.length * size)
    windows.forEach((one, i) => {
      code.set(one.code, i * size)
    })
    return {
      peaks: this.peaks.sort(byScore).slice(0, MOST_PEAKS),
      sample: {
        code,
        size,
        window: Int32Array.from(windows, (one) => one.window),
        mode: Int32Array.from(windows, (one) => one.mode),
        label: Int8Array.from(windows, (one) => one.label),
        score: Float64Array.from(windows, (one) => one.score),
      },
    }
  }

  private endEpisode(node: string): void {
    const peak = this.standing.get(node)
    if (peak === undefined) return
    this.standing.delete(node)
    this.peaks.push(peak)
    if (this.peaks.length >= 2 * MOST_PEAKS) this.peaks = this.peaks.sort(byScore).slice(0, MOST_PEAKS)
  }

  private shares(contribution: Float32Array, row: number): PeakFlag['shares'] {
    const { statistics } = this
    const first = row * this.metrics.length * statistics
    return this.metrics
      .map((metric, m) => {
        const from = first + m * statistics
        const share = contribution.subarray(from, from + statistics).reduce((sum, part) => sum + part, 0)
        return { metric, share }
      })
      .sort((a, b) => b.share - a.share)
      .slice(0, MOST_SHARES)
  }
}

function byScore(a: PeakFlag, b: PeakFlag): number {
  return b.score - a.score
}

interface Coded {
  code: Float32Array
  window: number
  mode: number
  label: number
  score: number
}

/** A uniform sample of a stream of unknown length: algorithm R (Vitter 1985), with a fixed seed. */
class Reservoir {
  readonly size: number
  readonly windows: Coded[] = []
  private readonly most: number
  private readonly random
  private seen = 0

  constructor(most: number, size: number, seed: number) {
    this.most = most
    this.size = size
    this.random = createRandom(seed)
  }

  /** Copies the code when it keeps it. */
  offer(window: Coded): void {
    this.seen++
    const at = this.windows.length < this.most ? this.windows.length : this.random.integer(this.seen)
    if (at < this.most) this.windows[at] = { ...window, code: window.code.slice() }
  }
}
