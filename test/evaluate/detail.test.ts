import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FlagRecord } from '../../src/detect/records.ts'
import { DetailCollector } from '../../src/evaluate/detail.ts'
import type { Scores } from '../../src/model/scorer.ts'

const METRICS = ['power', 'fan']
const MINUTE = 60_000

function flag(node: string, window: number, score: number | null): FlagRecord {
  const at = (ms: number): string => new Date(ms).toISOString()
  return {
    kind: 'flag',
    v: 1,
    node,
    rack: null,
    window_start: at(window * 15 * MINUTE),
    window_end: at((window + 1) * 15 * MINUTE),
    score,
    p: null,
    anomalous: score !== null && score >= 1,
    state: 'normal',
    since: at(0),
    mode: score === null ? null : window % 3,
    q: null,
    coverage: 1,
    top: [],
    model: '0123456789ab',
  }
}

/** Two rows of scores, of which the second counts. */
function scoresOf(code: number, contribution: number[]): Scores {
  const nothing = new Float32Array(0)
  return {
    code: Float32Array.of(-1, -1, code, -code),
    q: nothing,
    scaled: nothing,
    squaredResidual: nothing,
    expected: new Float64Array(0),
    clipped: nothing,
    evidence: nothing,
    contribution: Float32Array.of(9, 9, 9, 9, ...contribution),
  }
}

test('a large set is sampled: as many windows as fit, every anomalous one, in order, each with its own code', () => {
  const collector = new DetailCollector(2, METRICS, 2)
  const anomalous = (window: number): boolean => window % 100 === 7
  for (let window = 0; window < 10_000; window++) {
    const label = anomalous(window) ? 1 : window % 2 === 0 ? 0 : -1
    collector.take(flag('n', window, 0.5), window, label, scoresOf(window, [0, 0, 0, 0]), 1)
  }
  const { sample, peaks } = collector.finish()
  assert.equal(sample.window.length, 2000)
  assert.deepEqual(peaks, [])
  const kept = [...sample.window]
  assert.deepEqual(
    kept,
    kept.toSorted((a, b) => a - b),
  )
  assert.equal(new Set(kept).size, 2000)
  assert.equal(kept.filter(anomalous).length, 100)
  kept.forEach((window, i) => {
    assert.deepEqual([...sample.code.subarray(2 * i, 2 * i + 2)], [window, -window])
    assert.equal(sample.mode[i], window % 3)
    assert.equal(sample.label[i] === 1, anomalous(window))
  })
  // Drawn from the whole: a half of the sample lies in the first half, give or take three standard errors.
  assert.ok(Math.abs(kept.filter((window) => window < 5000).length - 1000) < 70)
})

test('more anomalous windows than half of the sample leave room for others', () => {
  const collector = new DetailCollector(2, METRICS, 2)
  for (let window = 0; window < 6000; window++) {
    collector.take(flag('n', window, 0.5), window, window < 3000 ? 1 : 0, scoresOf(window, [0, 0, 0, 0]), 1)
  }
  const { label } = collector.finish().sample
  assert.deepEqual([label.length, label.filter((l) => l === 1).length], [2000, 1000])
})

test('an episode of a node leaves its peak, with the share of each metric', () => {
  const collector = new DetailCollector(2, METRICS, 2)
  const scores: [node: string, score: number | null][] = [
    ['a', 1.5],
    ['b', 1.2],
    ['a', 4],
    ['a', 2],
    ['a', 0.9], // ends the first episode of a
    ['a', 3],
    ['b', null], // ends that of b
    ['b', 1],
  ]
  scores.forEach(([node, score], window) => {
    const judged = score === null ? null : scoresOf(window, [0.125, 0.25, 0, 0.5])
    collector.take(flag(node, window, score), window, 1, judged, 1)
  })
  const { peaks } = collector.finish()
  assert.deepEqual(
    peaks.map(({ node, score, startMs }) => [node, score, startMs / (15 * MINUTE)]),
    [
      ['a', 4, 2],
      ['a', 3, 5],
      ['b', 1.2, 1],
      ['b', 1, 7],
    ],
  )
  assert.deepEqual(peaks[0]?.shares, [
    { metric: 'fan', share: 0.5 },
    { metric: 'power', share: 0.375 },
  ])
})

test('of many episodes the largest hundred are kept', () => {
  const collector = new DetailCollector(2, METRICS, 2)
  for (let window = 0; window < 2000; window++) {
    const score = window % 2 === 0 ? 0 : 1 + ((window * 7919) % 2000)
    collector.take(flag('n', window, score), window, 0, scoresOf(window, [0, 0, 0, 1]), 1)
  }
  const { peaks } = collector.finish()
  const every = Array.from({ length: 1000 }, (_, i) => 1 + (((2 * i + 1) * 7919) % 2000))
  assert.deepEqual(
    peaks.map(({ score }) => score),
    every.sort((a, b) => b - a).slice(0, 100),
  )
})
