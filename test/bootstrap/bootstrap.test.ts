import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import type { Progress } from '../../src/bootstrap/progress.ts'
import type { BootstrapResult } from '../../src/bootstrap/publish.ts'
import { openBundle } from '../../src/model/bundle.ts'
import { Scorer } from '../../src/model/scorer.ts'
import { featureNames } from '../../src/windows/schema.ts'
import { place, run, writeMachine } from './machine.ts'

let machine: string
let first: BootstrapResult
/** Steps as they were begun and finished. */
const told: string[] = []
before(async () => {
  machine = await writeMachine()
  const progress: Progress = {
    step(name, total) {
      told.push(`${name}${total === undefined ? '' : ' with total'}`)
      let most = 0
      return {
        advance(done) {
          assert.ok(done >= most && (total === undefined || done <= total), `${name}: ${done} of ${total}`)
          most = done
        },
        finish: (note) => void told.push(`${name}: ${note}`),
      }
    },
  }
  first = await run(machine, place().out, {}, { progress })
})

test('the result tells what was done, and the bundle holds the same', () => {
  // 72 hours × 4 windows × 2 nodes; the last fifth of the span calibrates.
  assert.deepEqual(first.windows, { read: 576, trained: 460, calibrated: 116, anomalous: 0, thin: 0 })
  assert.equal(first.nodes, 2)
  assert.equal(first.features, 20)
  const { error, afterDec, meanPredictor } = first.autoencoder
  assert.ok(error < 0.5 * meanPredictor, `autoencoder ${error}, mean predictor ${meanPredictor}`)
  assert.ok(Math.abs(first.modes.reduce((a, b) => a + b, 0) - 1) < 1e-9)
  assert.ok(first.threshold >= 3)
  assert.deepEqual(
    first.guards.map(({ name }) => name),
    ['mean_predictor', 'reconstruction', 'largest_mode', 'empty_modes', 'clipped'],
  )

  const { version, manifest, combined, reference } = openBundle(first.out)
  assert.equal(version, first.version)
  assert.equal(
    featureNames(manifest.schema).slice(0, 5).join(),
    'avg:power,var:power,max:power,min:power,avg:cpu_temp',
  )
  assert.deepEqual(manifest.schema.metrics[0], { name: 'power', sensors: ['power'], expectedSamples: 15 })
  assert.deepEqual(manifest.scaler, { kind: 'min-max by node', nodes: ['r1n1', 'r1n2'] })
  assert.equal(manifest.training.windows, 460)
  assert.equal(manifest.training.fromMs, 1_767_225_600_000)
  assert.equal(manifest.training.toMs, 1_767_225_600_000 + 230 * 900_000)
  assert.equal(manifest.training.layout, 'wide-samples')
  assert.deepEqual(manifest.training.reconstruction, { before: error, after: afterDec })
  assert.ok(
    Math.abs(error / manifest.training.pretrainLoss.at(-1)! - 1) < 0.05,
    'over the epoch and after it',
  )
  assert.ok(manifest.training.updates.slice(1).every((u) => u.divergence > 0 && u.squaredError > 0))
  assert.equal(manifest.training.updates.at(-1)?.iteration, first.dec.iterations)
  assert.deepEqual(
    manifest.modes.map(({ share }) => share),
    first.modes,
  )
  assert.deepEqual(
    [manifest.calibration.windows, combined.length, manifest.calibration.inSample],
    [116, 116, false],
  )
  assert.ok(
    Math.abs(manifest.calibration.falseFlagRate - 1 / 672) < 1e-12,
    'one of the 672 windows of a week',
  )
  assert.deepEqual(manifest.reference, {
    train: 460,
    trainNodes: [
      [0, 230],
      [1, 230],
    ],
    calibration: [
      [0, 58],
      [1, 58],
    ],
  })
  assert.equal(reference.length, 576 * 20)
  const largest = reference.subarray(0, 460 * 20).reduce((a, b) => Math.max(a, Math.abs(b - 0.5)), 0)
  assert.ok(largest <= 0.5 + 1e-6, 'training windows are scaled to [0, 1]')
})

test('every step is begun and finished once', () => {
  assert.deepEqual(
    told.map((line) => line.split(':')[0]),
    [
      'read windows with total',
      'read windows',
      'fit scaler',
      'fit scaler',
      'train autoencoder with total',
      'train autoencoder',
      'train DEC with total',
      'train DEC',
      'calibrate',
      'calibrate',
    ],
  )
})

test('the model of the bundle finds a strange window strange and its metric guilty', async () => {
  const { manifest, model } = openBundle(first.out)
  const { centre, spread } = manifest.calibration
  const d = first.features
  const scorer = await Scorer.create(model, d)
  // Idle: power 100, temperature 40, ambient 20, user 5, fan 5000; the second with the fan at a third of its speed.
  const idle = [100, 40, 20, 5, 5000].flatMap((level, m) => {
    const noise = [40, 3, 0.5, 4, 200][m]!
    return [level, noise ** 2 / 12, level + 0.45 * noise, level - 0.45 * noise]
  })
  const broken = idle.with(16, 1700).with(18, 1800).with(19, 1600)
  const { evidence, contribution } = await scorer.score(
    Float64Array.from([...idle, ...broken]),
    Int32Array.of(1, 1),
    2,
  )
  await scorer.release()
  const strangeness = (row: number): number =>
    ((evidence[row * 2]! - centre[0]!) / spread[0]! + (evidence[row * 2 + 1]! - centre[3]!) / spread[3]!) / 2
  assert.ok(strangeness(0) < first.threshold, `idle: ${strangeness(0)}`)
  assert.ok(strangeness(1) > 1.5 * first.threshold, `broken: ${strangeness(1)} at ${first.threshold}`)
  const share = contribution.subarray(d + 16, d + 20).reduce((a, b) => a + b, 0)
  assert.ok(share > 0.5, `the fan has ${share} of it`)
})

test('same seed, same bundle; another seed, another one; other windows, another fingerprint', async () => {
  const [again, other] = [await run(machine, place().out), await run(machine, place().out, { seed: 2 })]
  assert.equal(again.version, first.version)
  assert.deepEqual({ ...again, out: '' }, { ...first, out: '' })
  assert.notEqual(other.version, first.version)
  const shorter = await run(await writeMachine({ hours: 60 }), place().out, { pretrain: { epochs: 10 } })
  const fingerprint = (result: BootstrapResult): string =>
    openBundle(result.out).manifest.training.fingerprint
  assert.equal(fingerprint(other), fingerprint(first))
  assert.notEqual(fingerprint(shorter), fingerprint(first))
})

test('windows labelled anomalous stay out of scaler, training and calibration', async () => {
  // Two busy hours at ten times the load, early and late.
  const faulty = 'CASE WHEN i BETWEEN 600 AND 719 OR i BETWEEN 4000 AND 4119 THEN 1 ELSE 0 END'
  const file = await writeMachine({ label: faulty, load: `((i // 170 + n) % 2) + 10 * (${faulty})` })
  const result = await run(file, place().out)
  // 600 … 719 fills 8 windows of 15, 4000 … 4119 touches 9; on two nodes.
  assert.equal(result.windows.anomalous, 2 * (8 + 9))
  assert.equal(result.windows.trained + result.windows.calibrated, 576 - 34)
  const { manifest, reference } = openBundle(result.out)
  assert.deepEqual(manifest.training.leftOut, { anomalous: 34, coverage: 0 })
  const train = reference.subarray(0, manifest.reference.train * result.features)
  const power = train.filter((_, i) => i % result.features === 0)
  // Were the fault within the range, ordinary busy windows would lie near 0.1.
  assert.ok(power.toSorted()[Math.floor(0.9 * power.length)]! > 0.8)
})

test('thin windows stay out as well, and are counted', async () => {
  const file = await writeMachine({ hours: 72 })
  const thin = await writeMachine({
    hours: 72,
    load: 'CASE WHEN i < 300 AND i % 15 > 2 THEN NULL ELSE (i // 170 + n) % 2 END',
  })
  const result = await run(thin, place().out)
  const whole = await run(file, place().out)
  assert.equal(whole.windows.thin, 0)
  // Four of five metrics follow the load: coverage of the first 20 windows is (4·0.2 + 1) / 5.
  assert.equal(result.windows.thin, 40)
})

test('the report preset keeps every row, scales plainly and calibrates in sample', async () => {
  const file = await writeMachine({ hours: 24, label: 'CASE WHEN i < 60 THEN 1 ELSE 0 END' })
  // The report's own rates need its sixty epochs on 15,000 rows to leave the plateau.
  const result = await run(file, place().out, {
    preset: 'report',
    hidden: [32],
    code: 1,
    pretrain: { optimiser: 'adam', learning_rate: 0.005, batch: 16, initialiser: 'variance-scaling' },
  })
  assert.deepEqual(result.windows, { read: 192, trained: 192, calibrated: 192, anomalous: 0, thin: 0 })
  const { manifest } = openBundle(result.out)
  assert.equal(manifest.scaler.kind, 'min-max')
  assert.equal(manifest.calibration.inSample, true)
  assert.ok(manifest.schema.transforms.every((transform) => transform === 'none'))
  assert.deepEqual(
    result.guards.map(({ name }) => name),
    ['mean_predictor', 'pca', 'reconstruction', 'largest_mode', 'empty_modes', 'clipped'],
  )
})

test('a single feature makes a model', async () => {
  const file = await writeMachine({ hours: 48 })
  const catalogue = {
    site: 'One',
    metrics: [{ name: 'power', sensors: ['power'], unit: 'W', periodSeconds: 60, plugin: 'ipmi' }],
  }
  const result = await run(file, place().out, { statistics: ['avg'] }, { catalogue })
  assert.equal(result.features, 1)
  assert.equal(result.autoencoder.pca, result.autoencoder.meanPredictor)
  assert.match(openBundle(result.out).manifest.catalogue?.sha256 ?? '', /^[0-9a-f]{64}$/)
})
