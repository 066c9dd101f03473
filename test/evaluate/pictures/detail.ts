/** Evaluations made up for pictures: scores that follow the labels, on any number of nodes and windows. */

import type { EvaluationDetail } from '../../../src/evaluate/detail.ts'
import type { Evaluation } from '../../../src/evaluate/evaluate.ts'
import { labelledEvents } from '../../../src/evaluate/events.ts'
import { summarise } from '../../../src/evaluate/figures.ts'
import type { Column } from '../../../src/evaluate/windows.ts'
import { EvaluatedWindows } from '../../../src/evaluate/windows.ts'
import { createRandom } from '../../../src/model/random.ts'

const EVERY_SECONDS = 900
const FROM_MS = Date.parse('2020-03-09T00:00:00Z')

export interface Shape {
  nodes: readonly string[]
  windows: number
  /** Windows at the beginning and end of which every second node is anomalous; null leaves labels unknown. */
  event: readonly [from: number, to: number] | null
  codeSize: number
  modes: number
}

export async function makeEvaluation(
  shape: Shape,
): Promise<{ evaluation: Evaluation; detail: EvaluationDetail }> {
  const { nodes, windows, event, codeSize, modes } = shape
  const random = createRandom(1)
  const rows = nodes.length * windows
  const columns: Column[] = ['DEC', 'kNN distance', 'constant score'].map((name) => ({
    name,
    score: new Float64Array(rows),
  }))
  const all = new EvaluatedWindows(columns.map(({ name }) => name))
  all.append({
    rows,
    node: Int32Array.from({ length: rows }, (_, row) => row % nodes.length),
    start: Float64Array.from(
      { length: rows },
      (_, row) => FROM_MS + Math.floor(row / nodes.length) * EVERY_SECONDS * 1000,
    ),
    values: new Float64Array(0),
    counts: new Uint16Array(0),
    label: Int8Array.from({ length: rows }, (_, row) => {
      if (event === null) return -1
      const at = Math.floor(row / nodes.length)
      return at >= event[0] && at < event[1] && (row % nodes.length) % 2 === 0 ? 1 : 0
    }),
  })
  for (let row = 0; row < rows; row++) {
    const high = all.label[row] === 1 ? 3 : 0
    all.columns[0]!.score[row] = row % 50 === 49 ? Number.NaN : high + random.uniform()
    all.columns[1]!.score[row] = high / 3 + random.uniform()
    all.columns[2]!.score[row] = 0
    all.mode[row] = row % modes
  }
  all.finish()
  const schema = { everySeconds: EVERY_SECONDS, lengthSeconds: EVERY_SECONDS }
  const summary = await summarise(all, nodes, schema)
  const sampled = Int32Array.from({ length: Math.min(rows, 200) }, (_, i) => i).filter(
    (row) => row % 50 !== 49,
  )
  const model = all.columns[0]!.score
  const count = (label: number) => all.label.filter((l) => l === label).length
  return {
    evaluation: {
      model: 'abcdef012345',
      history: {
        layout: 'wide-samples',
        files: 1,
        nodes: nodes.length,
        fromMs: FROM_MS,
        toMs: FROM_MS + windows * EVERY_SECONDS * 1000,
        labelled: event !== null,
      },
      windows: {
        read: rows,
        scored: model.filter((score) => !Number.isNaN(score)).length,
        anomalous: count(1),
        unknown: count(-1),
      },
      notes: [],
      baselines: { trained: 100, calibrated: 50 },
      ...summary,
    },
    detail: {
      nodes: [...nodes],
      node: all.node,
      start: all.start,
      label: all.label,
      mode: all.mode,
      scores: all.columns,
      events: labelledEvents(all, EVERY_SECONDS),
      peaks: nodes.flatMap((node, n) =>
        n % 2 === 1 || event === null
          ? []
          : [
              {
                node,
                startMs: FROM_MS,
                score: 3.5 - n / nodes.length,
                label: n % 4 === 0 ? 1 : 0,
                mode: 0,
                shares: [
                  { metric: 'total_power', share: 0.7 },
                  { metric: '<b>fan0_0', share: 0.2 },
                ],
                top: [],
              },
            ],
      ),
      sample: {
        code: Float32Array.from({ length: sampled.length * codeSize }, () => random.normal()),
        size: codeSize,
        window: sampled,
        mode: sampled.map((row) => all.mode[row]!),
        label: Int8Array.from(sampled, (row) => all.label[row]!),
        score: Float64Array.from(sampled, (row) => model[row]!),
      },
    },
  }
}
