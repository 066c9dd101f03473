import type { AlarmState, FlagRecord } from '../detect/records.ts'
import { ALARM_STATES } from '../detect/records.ts'
import type { Metrics } from './metrics.ts'

/** The labels under which a node is exported now. */
interface NodeLabels {
  rack: string
  state: AlarmState
}

/** The series of the nodes: four at most for each, one of them its state; and the count of nodes in each state. */
export class NodeGauges {
  readonly #metrics: Metrics
  readonly #nodes = new Map<string, NodeLabels>()
  readonly #perState = new Map<AlarmState, number>(ALARM_STATES.map((state) => [state, 0]))

  constructor(metrics: Metrics) {
    this.#metrics = metrics
  }

  set({ node, rack, state, score, mode, window_end }: FlagRecord): void {
    const m = this.#metrics
    const labels = { node, rack: rack ?? '' }
    this.#enter(node, { rack: labels.rack, state })
    if (score === null) m.nodeScore.remove(labels)
    else m.nodeScore.set(labels, score)
    if (mode === null) m.nodeMode.remove(labels)
    else m.nodeMode.set(labels, mode)
    m.nodeWindowEnd.set(labels, Date.parse(window_end) / 1000)
  }

  /** Removes the series of a node; one that is not known is fine. */
  remove(node: string): void {
    const labels = this.#nodes.get(node)
    if (labels === undefined) return
    const { rack, state } = labels
    const m = this.#metrics
    for (const gauge of [m.nodeScore, m.nodeMode, m.nodeWindowEnd]) gauge.remove({ node, rack })
    m.nodeState.remove({ node, rack, state })
    this.#nodes.delete(node)
    this.#count(state, -1)
  }

  #enter(node: string, next: NodeLabels): void {
    const { nodeState } = this.#metrics
    const before = this.#nodes.get(node)
    if (before?.state === next.state && before.rack === next.rack) return
    if (before !== undefined && before.rack !== next.rack) this.remove(node)
    else if (before !== undefined) {
      nodeState.remove({ node, ...before })
      this.#count(before.state, -1)
    }
    this.#nodes.set(node, next)
    nodeState.set({ node, ...next }, 1)
    this.#count(next.state, 1)
  }

  #count(state: AlarmState, by: number): void {
    const n = (this.#perState.get(state) ?? 0) + by
    this.#perState.set(state, n)
    this.#metrics.nodes.set({ state }, n)
  }
}
