import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Evaluation } from '../../src/evaluate/evaluate.ts'
import { evaluationText } from '../../src/evaluate/evaluation-text.ts'
import type { Figures } from '../../src/evaluate/figures.ts'

/** What a terminal shows without breaking lines. */
const MOST_COLUMNS = 120

function figures(auroc: number | null, averagePrecision: number | null): Figures {
  return {
    auroc,
    averagePrecision,
    bestF1: 0.5,
    precision: null,
    recall: 0.25,
    falseFlagsPerDay: 12.345,
    events: 120,
    found: 7,
    delaySeconds: 12 * 3600,
    intervals: {
      auroc: auroc === null ? null : [auroc - 0.1, 1],
      averagePrecision: null,
      bestF1: null,
      precision: null,
      recall: null,
      falseFlagsPerDay: null,
    },
  }
}

function evaluation(nodes: string[]): Evaluation {
  const detector = (name: string, auroc: number | null, ap: number | null) => ({
    detector: name,
    pooled: figures(auroc, ap),
    mean: figures(auroc, ap),
    nodes: Object.fromEntries(nodes.map((node) => [node, figures(auroc, ap)])),
  })
  const difference = (name: string, value: number) => {
    const of = { value, interval: [value - 0.125, value + 0.125] as [number, number] }
    const both = { auroc: of, averagePrecision: of }
    return { detector: name, pooled: both, mean: both }
  }
  return {
    model: '0123456789ab',
    history: { layout: 'wide-samples', files: 1, nodes: nodes.length, fromMs: 0, toMs: 1, labelled: true },
    windows: { read: 10, scored: 9, anomalous: 3, unknown: 0 },
    notes: ['the sky is blue'],
    baselines: { trained: 100, calibrated: 50 },
    detectors: [
      detector('DEC', 0.75, 0.5),
      detector('isolation forest + memory', 0.625, 0.25),
      detector('kNN distance', 0.5, 0.375),
      detector('constant score', null, null),
    ],
    differences: [difference('isolation forest + memory', 0.25), difference('kNN distance', -0.0625)],
    events: [],
  }
}

test('the tables of several nodes fit a terminal and say what is not defined by a dash', () => {
  const text = evaluationText(evaluation(['r205n01', 'r205n02']), true)
  for (const line of text.split('\n')) assert.ok([...line].length <= MOST_COLUMNS, line)
  assert.match(text, /10 windows of 2 nodes, 9 scored, 3 labelled anomalous\n/)
  assert.match(text, /\nnote: the sky is blue\n/)
  assert.match(text, /\nDEC by node +AUROC .*\n.*\nr205n01 +0\.750 +\.65–1\.00 +0\.500 +– .*7\/120 +720\n/)
  assert.match(text, /\nmean over nodes /)
  assert.match(text, /\nall nodes together /)
  assert.match(text, /\nconstant score +– +– +– +– /)
})

test('one node has one table, and the best baseline is that of the largest average precision', () => {
  const text = evaluationText(evaluation(['r205n01']), false)
  assert.doesNotMatch(text, /by node|mean over nodes|all nodes together/)
  assert.match(text, /10 windows of 1 node, /)
  assert.match(
    text,
    /\nDEC less kNN distance, the best baseline by AP: AUROC −\.06 \(−\.19 to \+\.06\), AP −\.06 /,
  )
})

test('without labels there is no best baseline', () => {
  const one = evaluation(['r205n01'])
  for (const detector of one.detectors) detector.pooled.averagePrecision = null
  assert.doesNotMatch(evaluationText(one, false), /best baseline/)
})
