import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { clusteringPicture, pretrainPicture } from '../../../src/evaluate/pictures/losses.ts'
import { renderSvg } from '../../../src/evaluate/pictures/render.ts'
import { writeTrainingReport } from '../../../src/evaluate/pictures/report.ts'
import { openBundle } from '../../../src/model/bundle.ts'
import { REFERENCE_BUNDLE } from '../../support/reference.ts'
import { elementsOf } from './support.ts'

const scratch = mkdtempSync(join(tmpdir(), 'examon-dec-pictures-'))
after(() => rmSync(scratch, { recursive: true, force: true }))
const silent = { step: () => ({ advance() {}, finish() {} }) }

describe('training report', () => {
  test('stands within the bundle, whole and without references, and leaves the bundle as it was', async () => {
    const path = join(scratch, 'bundle')
    cpSync(REFERENCE_BUNDLE, path, { recursive: true })
    const before = openBundle(path).version
    const file = await writeTrainingReport(path, { progress: silent })
    assert.equal(openBundle(path).version, before)
    const html = readFileSync(file, 'utf8')
    assert.match(html, new RegExp(`<title>Training of model ${before}</title>`))
    assert.doesNotMatch(html, /\b(?:src|href)="(?!#)|<script|@import|url\((?!#)/)
    assert.equal(html.match(/<figure/g)?.length, 4)
    const pictures = readdirSync(join(path, 'pictures')).sort()
    assert.deepEqual(pictures, ['autoencoder-loss.svg', 'dec-loss.svg', 'tsne-mode.svg', 'umap-mode.svg'])
    for (const name of pictures) {
      const svg = readFileSync(join(path, 'pictures', name), 'utf8').trimEnd()
      elementsOf(svg)
      assert.match(svg, /^<svg role="img" aria-label="[^"]{40,}" xmlns="http:\/\/www\.w3\.org\/2000\/svg"/)
    }
    const tsne = readFileSync(join(path, 'pictures/tsne-mode.svg'), 'utf8')
    const { reference, modes } = openBundle(path).manifest
    const windows = reference.train + reference.calibration.reduce((sum, [, n]) => sum + n, 0)
    const [points = '', crosses = ''] =
      tsne.match(/<g class="mark-symbol role-mark layer_\d_marks.*?<\/g>/gs) ?? []
    assert.equal(points.match(/<path/g)?.length, windows, 'one mark a window')
    assert.equal(crosses.match(/<path/g)?.length, modes.length, 'one cross a centre')
    for (const id of html.matchAll(/ id="([^"]+)"/g)) {
      assert.equal(html.split(` id="${id[1]}"`).length, 2, `${id[1]} is there once`)
    }
  })
})

describe('losses', () => {
  const losses = [0.2, 0.12, 0.12, 0.03]

  test('the autoencoder has its baselines as rules and its plateau shaded', async () => {
    const picture = pretrainPicture({
      losses,
      baselines: { meanPredictor: 0.12, pca: 0.02, components: 10 },
      plateau: { fromEpoch: 2, toEpoch: 3, escaped: true },
    })
    assert.ok(picture)
    const svg = await renderSvg(picture)
    elementsOf(svg)
    for (const text of [
      'mean predictor 0.12',
      'PCA, 10 components 0.02',
      'autoencoder 0.03',
      'plateau',
      'epoch',
    ]) {
      assert.ok(svg.includes(`>${text}</text>`), text)
    }
    assert.match(svg, /mark-rect role-mark/)
    assert.match(picture.description, /from 0.2 to 0.03 over 4 epochs.*plateau in epochs 2 to 3/)
  })

  test('without pretraining or a second update there is no picture', () => {
    assert.equal(pretrainPicture({ losses: [], baselines: null, plateau: null }), null)
    const first = { iteration: 0, changed: 1, divergence: 0, squaredError: 0 }
    assert.equal(clusteringPicture({ updates: [first], tolerance: 0.005 }), null)
  })

  test('DEC has three panels, from the second update on, and the tolerance', async () => {
    const updates = Array.from({ length: 5 }, (_, i) => ({
      iteration: 20 * i,
      changed: i === 0 ? 1 : 0.1 / i,
      divergence: i === 0 ? 0 : 0.1 + 0.01 * i,
      squaredError: i === 0 ? 0 : 0.02,
    }))
    const picture = clusteringPicture({ updates, tolerance: 0.005 })
    assert.ok(picture)
    const svg = await renderSvg(picture)
    elementsOf(svg)
    for (const text of ['KL(p‖q)', 'squared error', 'changed mode', 'tolerance 0.5 %', 'iteration']) {
      assert.ok(svg.includes(`>${text}</text>`), text)
    }
    assert.equal(svg.match(/<path aria-label|mark-line role-mark/g)?.length, 3)
  })
})
