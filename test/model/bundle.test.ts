import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { BUNDLE_FORMAT, openBundle, writeBundle } from '../../src/model/bundle.ts'
import type { Manifest } from '../../src/model/manifest.ts'

const root = mkdtempSync(join(tmpdir(), 'examon-dec-bundle-'))
after(() => rmSync(root, { recursive: true }))
let folders = 0
/** A path in an empty folder of its own. */
function place(): { folder: string; path: string } {
  const folder = join(root, String(folders++))
  mkdirSync(folder)
  return { folder, path: join(folder, 'mine') }
}

type Content = Parameters<typeof writeBundle>[1]

/** Two metrics with two statistics, a code of one, three modes. */
function content(): Content {
  return {
    manifest: {
      schema: {
        lengthSeconds: 900,
        everySeconds: 900,
        statistics: ['avg', 'var'],
        ddof: 1,
        metrics: [
          { name: 'ambient', sensors: ['ambient'], expectedSamples: 45 },
          { name: 'core_temp', sensors: ['p0_core0_temp', 'p1_core0_temp'], expectedSamples: null },
        ],
        transforms: ['none', 'log1p', 'none', 'log1p'],
      },
      catalogue: { site: 'Test', sha256: 'a'.repeat(64) },
      network: { widths: [4, 3, 1, 3, 4], codeLayer: 2 },
      modes: [{ share: 0.5 }, { share: 0.25 }, { share: 0.25 }],
      scaler: { kind: 'min-max by node', nodes: ['r1n1', 'r1n2'] },
      training: {
        preset: 'default',
        seed: 7,
        layout: 'wide-samples',
        fingerprint: 'b'.repeat(64),
        fromMs: 0,
        toMs: 86_400_000,
        windows: 100,
        leftOut: { anomalous: 1, coverage: 2 },
        options: { hidden: [3], code: 1 },
        pretrainLoss: [0.2, 0.1],
        updates: [{ iteration: 0, changed: 1, divergence: 0, squaredError: 0 }],
        stopped: 'tolerance',
      },
      calibration: {
        windows: 30,
        falseFlagRate: 0.001,
        threshold: 5,
        weights: [1, 0.3, 0.1],
        evidence: ['residual', 'distance'],
        centre: [0, 0, 0, 0, 0, 0],
        spread: [1, 1, 1, 1, 1, 1],
        inSample: false,
      },
      reference: { train: 2, calibration: [[1, 1]] },
      guards: [{ name: 'clipped', result: 'passed', value: 0, limit: 0.02, message: 'fine' }],
    },
    model: Uint8Array.from({ length: 300 }, (_, i) => i % 256),
    combined: Float64Array.of(-1, 0, 2.5),
    reference: Float32Array.from({ length: 12 }, (_, i) => i / 12),
  }
}

/** Changes the manifest on disk as an editor would. */
function edit(path: string, change: (manifest: Manifest) => unknown): void {
  const file = join(path, 'manifest.json')
  const manifest = JSON.parse(readFileSync(file, 'utf8')) as Manifest
  writeFileSync(file, JSON.stringify(change(manifest) ?? manifest))
}

const refuses = (path: string, code: string, message: string | RegExp): void =>
  assert.throws(() => openBundle(path), { name: 'ModelError', code, message })

test('what was written is what is opened', () => {
  const { folder, path } = place()
  const given = content()
  const version = writeBundle(path, given)
  assert.match(version, /^[0-9a-f]{12}$/)
  const bundle = openBundle(path)
  assert.equal(bundle.version, version)
  assert.equal(bundle.path, path)
  const { format, files, ...manifest } = bundle.manifest
  assert.equal(format, BUNDLE_FORMAT)
  assert.deepEqual(Object.keys(files), ['model.onnx', 'calibration.f64', 'reference.f32'])
  assert.deepEqual(manifest, given.manifest)
  assert.deepEqual(Uint8Array.from(bundle.model), given.model)
  assert.deepEqual(bundle.combined, given.combined)
  assert.deepEqual(bundle.reference, given.reference)
  assert.deepEqual(readdirSync(folder), ['mine'], 'nothing temporary stays')
  assert.deepEqual(readdirSync(path).sort(), [
    'calibration.f64',
    'manifest.json',
    'model.onnx',
    'reference.f32',
  ])
})

test('arrays that are views into larger buffers are written alone', () => {
  const { path } = place()
  const given = content()
  const wide = new Float32Array(20).fill(9)
  wide.set(given.reference, 4)
  writeBundle(path, { ...given, reference: wide.subarray(4, 16) })
  assert.deepEqual(openBundle(path).reference, given.reference)
})

test('the same content gives the same bytes and version, other content another version', () => {
  const [a, b, c, d] = [place().path, place().path, place().path, place().path]
  const version = writeBundle(a, content())
  assert.equal(writeBundle(b, content()), version)
  for (const name of readdirSync(a))
    assert.deepEqual(readFileSync(join(a, name)), readFileSync(join(b, name)))
  const model = content().model
  model[5]!++
  assert.notEqual(writeBundle(c, { ...content(), model }), version)
  const other = content()
  other.manifest.calibration.threshold = 5.5
  assert.notEqual(writeBundle(d, other), version)
})

test('no bundle, and a file missing from one', () => {
  const { folder, path } = place()
  refuses(
    path,
    'bundle_missing',
    `no bundle at ${path}: ${path}/manifest.json can't be read; make one with bootstrap --out`,
  )
  refuses(folder, 'bundle_missing', /manifest\.json can't be read; make one with bootstrap --out$/)
  writeBundle(path, content())
  rmSync(join(path, 'calibration.f64'))
  refuses(
    path,
    'bundle_broken',
    `bundle ${path}: calibration.f64 can't be read; copy the whole bundle or make it anew with bootstrap`,
  )
})

test('a truncated and a changed file', () => {
  const { path } = place()
  writeBundle(path, content())
  const file = join(path, 'model.onnx')
  writeFileSync(file, readFileSync(file).subarray(0, 100))
  refuses(
    path,
    'bundle_broken',
    new RegExp(
      `^bundle ${path}: model\\.onnx is truncated or changed: 100 bytes with sha256 [0-9a-f]{12}…, the manifest says [0-9a-f]{12}…$`,
    ),
  )
  writeBundle(path, content())
  writeFileSync(file, content().model.fill(0))
  refuses(path, 'bundle_broken', /model\.onnx is truncated or changed: 300 bytes/)
})

test('a manifest cut short, of no JSON object, of another format, of another form', () => {
  const { path } = place()
  writeBundle(path, content())
  const file = join(path, 'manifest.json')
  const text = readFileSync(file, 'utf8')
  writeFileSync(file, text.slice(0, 500))
  refuses(path, 'bundle_broken', `bundle ${path}: manifest.json is not JSON; was it cut short?`)
  writeFileSync(file, '')
  refuses(path, 'bundle_broken', `bundle ${path}: manifest.json is not JSON; was it cut short?`)
  for (const [content, shown] of [
    ['null', 'undefined'],
    ['[]', 'undefined'],
    ['{"format": 2}', '2'],
    ['{"format": "1"}', '"1"'],
  ]) {
    writeFileSync(file, content!)
    refuses(
      path,
      'bundle_mismatch',
      `bundle ${path}: format ${shown}, this program reads format 1; train it anew with bootstrap`,
    )
  }
  writeFileSync(file, text)
  edit(path, (manifest) => ({ ...manifest, calibration: { ...manifest.calibration, threshold: 0 } }))
  refuses(path, 'bundle_broken', `bundle ${path}: manifest.json at /calibration/threshold: must be > 0`)
  writeFileSync(file, text)
  edit(path, ({ schema: _, ...rest }) => rest)
  refuses(path, 'bundle_broken', `bundle ${path}: manifest.json at /: must have required property 'schema'`)
})

test('a manifest that lacks a file or gives another hash', () => {
  const { path } = place()
  writeBundle(path, content())
  edit(path, (manifest) => {
    delete manifest.files['model.onnx']
  })
  refuses(path, 'bundle_broken', `bundle ${path}: the manifest must list model.onnx`)
  writeBundle(path, content())
  edit(path, (manifest) => {
    manifest.files['model.onnx'] = 'c'.repeat(64)
  })
  refuses(
    path,
    'bundle_broken',
    /model\.onnx is truncated or changed: 300 bytes with sha256 .*, the manifest says c{12}…$/,
  )
})

test('parts that do not agree with each other', () => {
  const changes: [(manifest: Manifest) => void, string][] = [
    [(m) => m.schema.metrics.pop(), '2 features in the schema, 4 at the input of the network'],
    [(m) => m.schema.transforms.pop(), '4 features in the schema, 3 transforms'],
    [(m) => m.network.widths.splice(4, 1, 5), '4 features in the schema, 5 at the output of the network'],
    [(m) => m.calibration.spread.pop(), '2 kinds of evidence at 3 scales, 5 spreads'],
    [(m) => m.calibration.centre.push(0), '2 kinds of evidence at 3 scales, 7 centres'],
    [(m) => m.reference.train++, '4 reference windows of 4 features, 12 values in reference.f32'],
    [
      (m) => {
        m.calibration.evidence = ['distance', 'residual']
      },
      'evidence distance, residual; this program gives residual, distance',
    ],
  ]
  for (const [change, message] of changes) {
    const { path } = place()
    writeBundle(path, content())
    edit(path, (manifest) => {
      change(manifest)
    })
    refuses(path, 'bundle_broken', `bundle ${path}: ${message}; train it anew with bootstrap`)
  }
})

test('an edited manifest is another model', () => {
  const { path } = place()
  const version = writeBundle(path, content())
  edit(path, (manifest) => {
    manifest.calibration.threshold = 6
  })
  assert.notEqual(openBundle(path).version, version)
})

test('an older bundle is replaced, and no temporary folder stays', () => {
  const { folder, path } = place()
  const first = writeBundle(path, content())
  const second = writeBundle(path, { ...content(), combined: Float64Array.of(1) })
  assert.notEqual(first, second)
  assert.equal(openBundle(path).version, second)
  assert.deepEqual(readdirSync(folder), ['mine'])
})

test('what is not a bundle is left alone', () => {
  const { folder, path } = place()
  mkdirSync(path)
  writeFileSync(join(path, 'thesis.tex'), 'years of work')
  const refused = {
    name: 'ModelError',
    code: 'bundle_mismatch',
    message: `${path} exists and is not a bundle (it has no manifest.json); choose another --out or remove it`,
  }
  assert.throws(() => writeBundle(path, content()), refused)
  assert.deepEqual(readdirSync(path), ['thesis.tex'])
  rmSync(path, { recursive: true })
  writeFileSync(path, 'a file')
  assert.throws(() => writeBundle(path, content()), refused)
  assert.equal(readFileSync(path, 'utf8'), 'a file')
  assert.deepEqual(readdirSync(folder), ['mine'])
})

test('a failure on the way leaves the older bundle, or nothing', () => {
  // A BigInt can not be written as JSON: the failure comes once the temporary folder is there.
  const failing = content()
  failing.manifest.training.options = { seed: 1n }
  const { folder, path } = place()
  assert.throws(() => writeBundle(path, failing), TypeError)
  assert.deepEqual(readdirSync(folder), [])
  const version = writeBundle(path, content())
  assert.throws(() => writeBundle(path, failing), TypeError)
  assert.equal(openBundle(path).version, version)
  assert.deepEqual(readdirSync(folder), ['mine'])
})

test('what a killed process left beside is no obstacle', () => {
  const { folder, path } = place()
  const version = writeBundle(path, content())
  for (const left of [`.mine.tmp-${process.pid}`, `.mine.tmp-${process.pid}.old`]) {
    mkdirSync(join(folder, left))
    writeFileSync(join(folder, left, 'stray'), '')
  }
  assert.equal(writeBundle(path, content()), version)
  assert.deepEqual(readdirSync(folder), ['mine'])
  assert.ok(!existsSync(join(path, 'stray')))
})
