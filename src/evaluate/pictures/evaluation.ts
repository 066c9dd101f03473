/** The evaluation's part of a report: how well the model's flags fit the labels, beside the baselines. */
import type { EvaluationDetail } from '../detail.ts'
import { CONSTANT_NAME, type Evaluation } from '../evaluate.ts'
import type { DetectorFigures, Difference, Figures } from '../figures.ts'
import type { Interval } from '../intervals.ts'
import { curvePictures } from './curves.ts'
import { heatmapPicture } from './heatmap.ts'
import { count, figure, fraction, moment, percent } from './numbers.ts'
import {
  cards,
  type Fact,
  factList,
  gallery,
  type Html,
  list,
  nowrap,
  paragraph,
  type Section,
  tableOf,
} from './page.ts'
import { type NodeScores, timelinePicture } from './timeline.ts'
import { type Drawing, draw, embeddingFigures, type ModelView } from './training.ts'

/** What was evaluated, and how it went in a few figures. */
export function summarySection(evaluation: Evaluation, detail: EvaluationDetail): Section {
  const { windows, history, notes } = evaluation
  const [model] = evaluation.detectors
  const flagged = detail.scores[0]?.score.reduce((n, score) => n + (score >= 1 ? 1 : 0), 0) ?? 0
  const facts: Fact[] = [
    {
      name: 'windows scored',
      value: count(windows.scored),
      note: `of ${count(windows.read)}, ${count(history.nodes)} ${history.nodes === 1 ? 'node' : 'nodes'}`,
    },
    {
      name: 'windows flagged',
      value: count(flagged),
      note: `${percent(windows.scored === 0 ? null : flagged / windows.scored)} of those scored`,
    },
    ...(model === undefined || windows.anomalous === 0 ? [] : labelledFacts(model, history.nodes)),
  ]
  return {
    id: 'summary',
    title: 'Summary',
    content: [
      cards(facts),
      ...(windows.anomalous === 0
        ? [
            paragraph(
              history.labelled
                ? 'No window is labelled anomalous: there is nothing to find, and no ROC or precision.'
                : 'The history carries no labels: what is flagged is shown, not how right it is.',
            ),
          ]
        : [paragraph(comparison(evaluation))]),
      ...(notes.length === 0 ? [] : [list(notes)]),
      factList([
        {
          name: 'history',
          value: `${moment(history.fromMs)} to ${moment(history.toMs)} UTC, ${history.layout}, ${count(history.files)} ${history.files === 1 ? 'file' : 'files'}`,
        },
        {
          name: 'labels',
          value: `${count(windows.anomalous)} windows anomalous, ${count(windows.unknown)} not known`,
        },
      ]),
    ],
  }
}

function labelledFacts({ pooled, mean }: DetectorFigures, nodes: number): Fact[] {
  const over = nodes === 1 ? '' : 'mean over nodes'
  const figures = nodes === 1 ? pooled : mean
  const withInterval = (
    name: string,
    value: number | null,
    interval: Interval | null,
    print = fraction,
  ): Fact => ({
    name,
    value: print(value),
    note: [...(interval === null ? [] : [`95 %: ${range(interval, print)}`]), over].join(' '),
  })
  return [
    withInterval('AUROC', figures.auroc, figures.intervals.auroc),
    withInterval('average precision', figures.averagePrecision, figures.intervals.averagePrecision),
    {
      name: 'events found',
      value: `${count(pooled.found)} of ${count(pooled.events)}`,
      note:
        pooled.delaySeconds === null
          ? 'no delay'
          : `after ${figure(pooled.delaySeconds / 60)} min on average`,
    },
    withInterval('precision', figures.precision, figures.intervals.precision),
    withInterval('recall', figures.recall, figures.intervals.recall),
    withInterval('false flags', figures.falseFlagsPerDay, figures.intervals.falseFlagsPerDay, figure),
  ].map((fact) => (fact.name === 'false flags' ? { ...fact, name: 'false flags a node and day' } : fact))
}

/** The model against the baseline that these very labels rank highest. */
function comparison({ detectors, differences, history }: Evaluation): string {
  const which = history.nodes > 1 ? 'mean' : 'pooled'
  const rivals = detectors.slice(1).filter(({ detector }) => detector !== CONSTANT_NAME)
  const [best] = rivals.toSorted(
    (a, b) => (b[which].averagePrecision ?? 0) - (a[which].averagePrecision ?? 0),
  )
  const difference = differences.find(({ detector }) => detector === best?.detector)?.[which]
  const rules = 'A window is anomalous when any of its samples is labelled so; no point adjustment.'
  if (best === undefined || difference === undefined) return rules
  const { auroc, averagePrecision } = difference
  return `Beside ${best.detector}, which of ${rivals.length} baselines has the highest average precision on these labels: AUROC ${signed(auroc)}, average precision ${signed(averagePrecision)}. A difference whose interval holds 0 is none. Intervals need five days of history. ${rules}`
}

function signed({ value, interval }: Difference['mean']['auroc']): string {
  if (value === null) return 'not defined'
  const sign = value > 0 ? '+' : ''
  return `${sign}${fraction(value)}${interval === null ? '' : ` (95 %: ${range(interval, fraction)})`}`
}

function range([low, high]: Interval, print: (value: number) => string): string {
  return `${print(low)} to ${print(high)}`
}

/** Every detector's figures, pooled and, for several nodes, as means over them. */
export function detectorsSection({ detectors, history, windows, baselines }: Evaluation): Section {
  const title = 'Detectors'
  const id = 'detectors'
  if (windows.anomalous === 0) {
    return {
      id,
      title,
      content: [paragraph('Without windows labelled anomalous, detectors can not be compared.')],
    }
  }
  const content: Html[] = [
    paragraph(
      `All saw the same windows: baselines were fitted on ${count(baselines.trained)} training windows and set to the same rate of false flags on ${count(baselines.calibrated)} calibration windows. “+ memory” gives a baseline the model's memory over windows. Below a figure is its 95 % interval; precision, recall, flags and delay are at the threshold, score 1.0; best F1 would need the labels.`,
    ),
    figuresTable(detectors.map(({ detector, pooled }) => [detector, pooled])),
  ]
  if (history.nodes > 1) {
    content.push(
      paragraph('Means over the nodes where a figure is defined:'),
      figuresTable(detectors.map(({ detector, mean }) => [detector, mean])),
    )
  }
  return { id, title, content }
}

function figuresTable(rows: readonly (readonly [string, Figures])[]): Html {
  const numeric = true
  return tableOf(
    [
      { title: 'detector' },
      { title: 'AUROC', numeric },
      { title: 'average precision', numeric },
      { title: 'best F1', numeric },
      { title: 'precision', numeric },
      { title: 'recall', numeric },
      { title: 'false flags', unit: 'a node and day', numeric },
      { title: 'events found', numeric },
      { title: 'delay', unit: 'min', numeric },
    ],
    rows.map(([detector, figures], i) => ({
      strong: i === 0,
      cells: [
        nowrap(detector),
        { title: fraction(figures.auroc), note: intervalText(figures.intervals.auroc) },
        { title: fraction(figures.averagePrecision), note: intervalText(figures.intervals.averagePrecision) },
        fraction(figures.bestF1),
        fraction(figures.precision),
        fraction(figures.recall),
        figure(figures.falseFlagsPerDay),
        `${count(figures.found)} of ${count(figures.events)}`,
        figures.delaySeconds === null ? '–' : count(Math.round(figures.delaySeconds / 60)),
      ],
    })),
  )
}

function intervalText(interval: Interval | null): string {
  return interval === null ? '' : `${fraction(interval[0])}–${fraction(interval[1])}`
}

/** Score over time, ROC and precision against recall, and the metrics behind the largest flags. */
export async function detectionSections(
  drawing: Drawing,
  evaluation: Evaluation,
  detail: EvaluationDetail,
  everySeconds: number,
): Promise<Section[]> {
  const { history } = evaluation
  const nodes = nodeScores(detail)
  const timeline = timelinePicture(nodes, history, everySeconds)
  const curves = curvePictures(detail)
  const heatmap = heatmapPicture(detail.peaks)
  return [
    {
      id: 'time',
      title: 'Score over time',
      content:
        timeline === null
          ? [paragraph('No window was scored.')]
          : [
              await draw(
                drawing,
                timeline,
                `1.0 is the threshold of every model. Nodes with labelled events come first, then the highest scores; ${timeline.shown} of ${count(nodes.length)} ${nodes.length === 1 ? 'node' : 'nodes'} shown. Where windows are closer than pixels the highest score is drawn.`,
                true,
              ),
            ],
    },
    {
      id: 'curves',
      title: 'ROC and precision',
      content:
        curves.length === 0
          ? [
              paragraph(
                'There is no ROC: it needs scored windows labelled anomalous and scored windows labelled normal.',
              ),
            ]
          : [gallery([...(await Promise.all(curves.map((curve) => draw(drawing, curve, curve.caption))))])],
    },
    {
      id: 'metrics',
      title: 'Metrics behind the flags',
      content:
        heatmap === null
          ? [paragraph('No window was flagged.')]
          : [
              await draw(
                drawing,
                heatmap,
                'One column a flagged episode (its highest window), the highest left; darker is a larger share of the evidence. A metric that is dark in many columns is behind many flags.',
                true,
              ),
            ],
    },
  ]
}

function nodeScores({ nodes, node, start, scores, events }: EvaluationDetail): NodeScores[] {
  const model = scores[0]?.score ?? new Float64Array(0)
  const counts = new Int32Array(nodes.length)
  for (const n of node) counts[n]!++ // windows index the nodes
  const all = nodes.map((name, n) => ({
    node: name,
    start: new Float64Array(counts[n]!),
    score: new Float64Array(counts[n]!),
    events: events.filter((event) => event.node === n),
  }))
  counts.fill(0)
  node.forEach((n, row) => {
    const at = counts[n]!++
    all[n]!.start[at] = start[row]!
    all[n]!.score[at] = model[row]!
  })
  return all
}

/** The code of evaluated windows by mode, label and score. */
export async function codeSection(
  drawing: Drawing,
  view: ModelView,
  { sample }: EvaluationDetail,
): Promise<Section> {
  const labelled = sample.label.some((label) => label !== -1)
  return {
    id: 'code',
    title: 'The code',
    content: await embeddingFigures(drawing, view, {
      code: sample.code,
      mode: sample.mode,
      label: labelled ? sample.label : null,
      score: sample.score,
      kinds: sample.mode.map(
        (mode, i) => 8 * mode + 2 * (sample.label[i]! + 1) + (sample.score[i]! >= 1 ? 1 : 0),
      ),
    }),
  }
}

/** Windows of each mode. */
export function modeCounts({ mode }: EvaluationDetail, modes: number): number[] {
  const counts = new Array<number>(modes).fill(0)
  for (const m of mode) if (m >= 0) counts[m]!++ // a mode of the model
  return counts
}
