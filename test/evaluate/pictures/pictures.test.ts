import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { curvePictures } from '../../../src/evaluate/pictures/curves.ts'
import { embeddingPictures } from '../../../src/evaluate/pictures/embedding.ts'
import { escapeText } from '../../../src/evaluate/pictures/escape.ts'
import { heatmapPicture } from '../../../src/evaluate/pictures/heatmap.ts'
import { figure, moment, percent } from '../../../src/evaluate/pictures/numbers.ts'
import { renderSvg } from '../../../src/evaluate/pictures/render.ts'
import { envelope, tellingNodes, timelinePicture } from '../../../src/evaluate/pictures/timeline.ts'
import { makeEvaluation } from './detail.ts'
import { elementsOf } from './support.ts'

const HOSTILE = `r1"]&<script>alert('x')</script>\u0007`
const SHAPE = { nodes: ['n1', HOSTILE], windows: 60, event: [20, 30] as const, codeSize: 4, modes: 2 }

describe('timeline', () => {
  const span = { fromMs: 0, toMs: 10_000 * 900_000 }

  test('keeps every peak of 10,000 windows in fewer points than pixels', () => {
    const score = Float64Array.from({ length: 10_000 }, (_, i) => (i % 1000 === 7 ? 5 + i : 0.1))
    const start = score.map((_, i) => i * 900_000)
    const points = envelope({ node: 'n', start, score, events: [] }, span, 700, 900)
    assert.ok(points.length <= 701)
    for (let i = 7; i < 10_000; i += 1000)
      assert.ok(points.some((p) => p.score === 5 + i && p.t === i * 900_000))
  })

  test('breaks where nothing was scored and where windows are missing', () => {
    const start = Float64Array.of(0, 1, 2, 3, 9, 10).map((i) => i * 900_000)
    const score = Float64Array.of(0.1, Number.NaN, 0.2, 0.3, 0.4, 0.5)
    const points = envelope({ node: 'n', start, score, events: [] }, { fromMs: 0, toMs: 9e6 }, 700, 900)
    assert.deepEqual(
      points.map((p) => p.score),
      [0.1, null, 0.2, 0.3, null, 0.4, 0.5],
    )
  })

  test('of 980 nodes a dozen are drawn, those with events first but not alone', () => {
    const nodes = Array.from({ length: 980 }, (_, i) => ({
      node: `n${i}`,
      start: Float64Array.of(0),
      score: Float64Array.of(i),
      events: i < 100 ? [{ startMs: 0, endMs: 1 }] : [],
    }))
    const names = tellingNodes(nodes).map(({ node }) => node)
    assert.equal(names.length, 12)
    assert.deepEqual(names.slice(0, 2), ['n99', 'n98'])
    assert.deepEqual(names.slice(-3), ['n979', 'n978', 'n977'])
  })

  test('has a strip a node, the threshold, the event and escaped names', async () => {
    const { evaluation, detail } = await makeEvaluation(SHAPE)
    const nodes = detail.nodes.map((node, n) => ({
      node,
      start: detail.start.filter((_, row) => detail.node[row] === n),
      score: detail.scores[0]!.score.filter((_, row) => detail.node[row] === n),
      events: detail.events.filter((event) => event.node === n),
    }))
    const picture = timelinePicture(nodes, evaluation.history, 900)
    assert.ok(picture)
    const svg = await renderSvg(picture)
    elementsOf(svg)
    assert.doesNotMatch(svg, /<script/)
    assert.ok(svg.includes('&lt;script&gt;'))
    // The second node's group is empty and closes itself.
    const [events = '', ...others] = svg.match(/<g class="mark-rect role-mark[^>]*[^/]>.*?<\/g>/gs) ?? []
    assert.deepEqual([events.match(/<path/g)?.length, others.length], [1, 0], 'one event of the first node')
    assert.equal(svg.match(/stroke="#d55e00" stroke-width="1" stroke-dasharray/g)?.length, 2)
    assert.match(svg, />9 Mar</)
  })

  test('nothing scored, no picture', () => {
    const node = { node: 'n', start: Float64Array.of(0), score: Float64Array.of(Number.NaN), events: [] }
    assert.equal(timelinePicture([node], span, 900), null)
  })
})

describe('curves', () => {
  test('hold the model, the best baseline and the figures of the table', async () => {
    const { evaluation, detail } = await makeEvaluation(SHAPE)
    const pictures = curvePictures(detail)
    assert.deepEqual(
      pictures.map(({ name }) => name),
      ['roc', 'precision-recall'],
    )
    for (const picture of pictures) {
      const svg = await renderSvg(picture)
      elementsOf(svg)
      assert.equal(svg.match(/mark-line role-mark/g)?.length, 3, 'model, baseline, chance')
      const which = picture.name === 'roc' ? 'auroc' : 'averagePrecision'
      for (const { detector, pooled } of evaluation.detectors.slice(0, 2)) {
        const value = pooled[which]?.toFixed(3)
        assert.match(svg, new RegExp(`>${detector}: (?:AUROC |average precision )?${value}</text>`))
      }
    }
  })

  test('one class alone has none', async () => {
    for (const event of [null, [0, 0] as const]) {
      const { detail } = await makeEvaluation({ ...SHAPE, event })
      assert.deepEqual(curvePictures(detail), [])
    }
  })
})

describe('heat map', () => {
  test('has a cell for each metric and flag, and says what is labelled', async () => {
    const { detail } = await makeEvaluation({ ...SHAPE, nodes: ['a', HOSTILE, 'c', 'd', 'e'] })
    const picture = heatmapPicture(detail.peaks)
    assert.ok(picture)
    const svg = await renderSvg(picture)
    elementsOf(svg)
    const cells = svg.match(/<g class="mark-rect role-mark.*?<\/g>/s)?.[0]
    assert.equal(cells?.match(/<path/g)?.length, 3 * 2)
    for (const text of [
      'total_power',
      '&lt;b&gt;fan0_0',
      '70',
      '20',
      'labelled anomalous',
      'a  9 Mar 00:00',
    ]) {
      assert.ok(svg.includes(`>${text}</text>`), text)
    }
    assert.equal(heatmapPicture([]), null)
  })
})

describe('embedding', () => {
  const plane = { x: Float64Array.from({ length: 12 }, (_, i) => i), y: new Float64Array(12).fill(3) }
  const windows = {
    method: 't-SNE' as const,
    plane,
    mode: Int32Array.from({ length: 10 }, (_, i) => i % 2),
    label: Int8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 0, -1),
    score: Float64Array.from({ length: 10 }, (_, i) => i / 4),
    modeNames: ['idle', HOSTILE],
  }

  test('draws every window and every centre, by mode, label and score', async () => {
    const pictures = embeddingPictures(windows)
    assert.deepEqual(
      pictures.map(({ name }) => name),
      ['tsne-mode', 'tsne-label', 'tsne-score'],
    )
    for (const picture of pictures) {
      const svg = await renderSvg(picture)
      elementsOf(svg)
      const marks = svg.match(/<g class="mark-symbol role-mark.*?<\/g>/gs) ?? []
      assert.deepEqual(
        marks.map((g) => g.match(/<path/g)?.length),
        [10, 2],
      )
    }
    const [, label, score] = pictures
    assert.match(label?.description ?? '', /label unknown: 1, labelled normal: 8, labelled anomalous: 1/)
    assert.match(
      score?.description ?? '',
      /below 0.5: 2, 0.5 to 1: 2, 1 to 2, flagged: 4, 2 and more, flagged: 2/,
    )
  })

  test('leaves out what is not known', () => {
    const names = embeddingPictures({ ...windows, label: null, score: null }).map(({ name }) => name)
    assert.deepEqual(names, ['tsne-mode'])
  })
})

describe('text', () => {
  test('whatever is escaped is text, in XML', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        elementsOf(`<a b="${escapeText(text)}">${escapeText(text)}</a>`)
      }),
    )
    assert.equal(escapeText(`<a href="x">'&\ud800`), '&lt;a href=&quot;x&quot;&gt;&#39;&amp;\ufffd')
  })

  test('numbers are for people', () => {
    const given = [0, 0.05432, 61.72, 1234.5, 188_709_758, -3.1449, 1e-7, Number.NaN, null]
    const expected = ['0', '0.0543', '61.7', '1,235', '189M', '−3.14', '1.0e−7', '–', '–']
    assert.deepEqual(given.map(figure), expected)
    assert.deepEqual([0.1234, 0.005, 1].map(percent), ['12.3 %', '0.5 %', '100 %'])
    assert.equal(moment(Date.parse('2020-03-09T07:05:00Z')), '9 Mar 2020, 07:05')
  })
})
