import type { Bundle } from '../model/bundle.ts'
import type { Scores } from '../model/scorer.ts'
import { EVIDENCE } from '../model/scoring.ts'
import type { WindowBlock } from '../windows/block.ts'
import type { FeatureSchema } from '../windows/schema.ts'
import { type AlarmMemory, type AlarmOptions, startAlarm, stepAlarm } from './alarm.ts'
import { pValue } from './calibrate.ts'
import { combine, type Memory, startMemory, toScore } from './memory.ts'
import type { AlarmRecord, Contribution, FlagRecord } from './records.ts'

export interface DetectorOptions extends AlarmOptions {
  /** Windows with less coverage are not scored. */
  minCoverage: number
  /** Contributing metrics named in a flag. */
  top: number
}

/** What the detector keeps of a node between windows; plain JSON, so that it can be checkpointed. */
export interface NodeState {
  /** End of the newest window flagged, ms. */
  emittedToMs: number
  /** End of the newest window that held a sample, ms. */
  seenMs: number
  memory: number[]
  alarm: AlarmMemory
  rack: string | null
  /** Drained or in maintenance. */
  muted: boolean
  /** Version of the model that the memory comes from. */
  model: string
}

/** What the stream knows of a node at a window's end. */
export interface NodeFacts {
  node: string
  rack: string | null
  muted: boolean
  rebooted: boolean
}

interface Node {
  memory: Memory
  alarm: AlarmMemory
  emittedToMs: number
  seenMs: number
  rack: string | null
  muted: boolean
}

/**
 * From scored windows to flags and alarms, with the memory of each node. Windows of a node must come in the order of
 * time; then the same windows give the same records, live and from history.
 */
export class Detector {
  private readonly nodes = new Map<string, Node>()
  private readonly bundle: Bundle
  private readonly schema: FeatureSchema
  private readonly options: DetectorOptions

  constructor(bundle: Bundle, options: DetectorOptions) {
    this.bundle = bundle
    this.schema = bundle.manifest.schema
    this.options = options
  }

  /** True when the window that ends at `endMs` was flagged before (and a restart sees it again). */
  isEmitted(node: string, endMs: number): boolean {
    return endMs <= (this.nodes.get(node)?.emittedToMs ?? Number.NEGATIVE_INFINITY)
  }

  /**
   * Flags row `row` of the block. `scores` are those of the block, or null where the row was not scored; `scoreRow`
   * is the row within them.
   */
  take(
    facts: NodeFacts,
    block: WindowBlock,
    row: number,
    coverage: number,
    scores: Scores | null,
    scoreRow: number,
  ): { flag: FlagRecord; alarm: AlarmRecord | null } {
    const startMs = block.start[row]! // row < rows
    const endMs = startMs + this.schema.lengthSeconds * 1000
    const node = this.node(facts, endMs)
    const judged = scores === null ? null : this.judge(node, scores, scoreRow, block, row)
    const before = node.alarm
    node.alarm = stepAlarm(
      before,
      {
        kind: judged !== null ? 'scored' : coverage > 0 ? 'insufficient' : 'silent',
        anomalous: judged !== null && judged.score >= 1,
        muted: facts.muted,
        rebooted: facts.rebooted,
      },
      this.options,
      endMs,
    )
    node.emittedToMs = endMs
    if (coverage > 0) node.seenMs = endMs
    const common = {
      v: 1 as const,
      node: facts.node,
      rack: node.rack,
      score: judged?.score ?? null,
      p: judged?.p ?? null,
      mode: judged?.mode ?? null,
      top: judged?.top ?? [],
      model: this.bundle.version,
    }
    const flag: FlagRecord = {
      kind: 'flag',
      ...common,
      window_start: iso(startMs),
      window_end: iso(endMs),
      anomalous: judged !== null && judged.score >= 1,
      state: node.alarm.state,
      since: iso(node.alarm.sinceMs),
      q: judged?.q ?? null,
      coverage,
    }
    if (node.alarm.state === before.state) return { flag, alarm: null }
    const alarm: AlarmRecord = {
      kind: 'alarm',
      ...common,
      at: iso(endMs),
      from: before.state,
      to: node.alarm.state,
      since: iso(before.sinceMs),
    }
    return { flag, alarm }
  }

  /** True when the window is to be scored. */
  isScorable(coverage: number): boolean {
    return coverage > 0 && coverage >= this.options.minCoverage
  }

  knows(node: string): boolean {
    return this.nodes.has(node)
  }

  /** Nodes whose last sample is older than `beforeMs`; they are dropped. */
  forget(beforeMs: number): string[] {
    const old = [...this.nodes].filter(([, node]) => node.seenMs < beforeMs).map(([name]) => name)
    for (const name of old) this.nodes.delete(name)
    return old
  }

  export(node: string): NodeState | null {
    const found = this.nodes.get(node)
    return found === undefined ? null : { ...found, memory: [...found.memory], model: this.bundle.version }
  }

  /** Takes up the state of an earlier run; evidence of another model means nothing to this one, its memory starts anew. */
  import(node: string, { model, memory, ...state }: NodeState): void {
    const fresh = startMemory(this.bundle.manifest.calibration)
    const isOurs = model === this.bundle.version && memory.length === fresh.length
    this.nodes.set(node, { ...state, memory: isOurs ? Float64Array.from(memory) : fresh })
  }

  /** The same nodes and alarms under another model. What they remember of evidence begins anew, for its unit is the model's. */
  withModel(bundle: Bundle, options: DetectorOptions): Detector {
    const next = new Detector(bundle, options)
    for (const name of this.nodes.keys()) {
      const state = this.export(name)
      if (state !== null) next.import(name, state)
    }
    return next
  }

  private node(facts: NodeFacts, endMs: number): Node {
    let node = this.nodes.get(facts.node)
    if (node === undefined) {
      node = {
        memory: startMemory(this.bundle.manifest.calibration),
        alarm: startAlarm(this.options, endMs),
        emittedToMs: Number.NEGATIVE_INFINITY,
        seenMs: endMs,
        rack: facts.rack,
        muted: facts.muted,
      }
      this.nodes.set(facts.node, node)
    }
    node.rack = facts.rack ?? node.rack
    node.muted = facts.muted
    return node
  }

  private judge(
    node: Node,
    scores: Scores,
    scoreRow: number,
    block: WindowBlock,
    row: number,
  ): { score: number; p: number; mode: number; q: number; top: Contribution[] } {
    const { calibration, modes } = this.bundle.manifest
    const combined = combine(node.memory, calibration, scores.evidence, scoreRow * EVIDENCE.length)
    const q = scores.q.subarray(scoreRow * modes.length, (scoreRow + 1) * modes.length)
    let mode = 0
    for (let j = 1; j < q.length; j++) if (q[j]! > q[mode]!) mode = j
    return {
      score: toScore(combined, calibration),
      p: pValue(this.bundle.combined, combined),
      mode,
      q: q[mode]!, // there is at least one mode
      top: this.explain(scores, scoreRow, block, row),
    }
  }

  /** The metrics with the largest shares; of each metric the statistic that says most. */
  private explain(scores: Scores, scoreRow: number, block: WindowBlock, row: number): Contribution[] {
    const { metrics, statistics } = this.schema
    const perMetric = statistics.length
    const d = metrics.length * perMetric
    const contributions = metrics.map((metric, m): Contribution => {
      let share = 0
      let most = 0
      for (let s = 0; s < perMetric; s++) {
        const part = scores.contribution[scoreRow * d + m * perMetric + s]! // a feature of the row
        share += part
        if (part > scores.contribution[scoreRow * d + m * perMetric + most]!) most = s
      }
      const f = m * perMetric + most
      return {
        metric: metric.name,
        statistic: statistics[most]!, // most < perMetric
        observed: finite(block.values[row * d + f]!),
        expected: finite(scores.expected[scoreRow * d + f]!),
        share: Math.min(1, share),
      }
    })
    return contributions.sort((a, b) => b.share - a.share).slice(0, this.options.top)
  }
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null
}

function iso(ms: number): string {
  return new Date(ms).toISOString()
}
