import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, test } from 'node:test'
import type { Progress } from '../../src/bootstrap/progress.ts'
import { openBundle } from '../../src/model/bundle.ts'
import { folder, write } from '../history/parquet.ts'
import { place, run, writeMachine } from './machine.ts'

let machine: string
/** Every temporary file of the windows goes here, so that a test can see that none stays. */
const temporary = folder()

before(async () => {
  process.env.TMPDIR = temporary
  machine = await writeMachine()
})

/** Runs into an error and looks that nothing was left, neither at the place of the bundle nor in temporary folders. */
async function refused(
  file: string,
  expected: { code: string; message: string | RegExp },
  changes: Parameters<typeof run>[2] = {},
): Promise<void> {
  const { out, left } = place()
  await assert.rejects(run(file, out, changes), { name: 'ModelError', ...expected })
  assert.deepEqual(left(), [])
  assert.deepEqual(readdirSync(temporary), [])
}

test('too little to train on', async () => {
  await refused(await writeMachine({ hours: 6 }), {
    code: 'too_little_data',
    message:
      '38 windows are left to train on, at least 50 are needed (48 windows in the history, 0 of them labelled anomalous and 0 with too few samples); give more history',
  })
})

test('a single window', async () => {
  await refused(
    await writeMachine({ hours: 0.25 }),
    {
      code: 'too_little_data',
      message:
        '2 windows are left to train on, at least 50 are needed (2 windows in the history, 0 of them labelled anomalous and 0 with too few samples); give more history',
    },
    { holdout: 0 },
  )
})

test('too little to calibrate on', async () => {
  await refused(
    await writeMachine({ hours: 10 }),
    {
      code: 'too_little_data',
      message:
        '8 windows are left to calibrate on, at least 20 are needed (80 windows in the history, 0 of them labelled anomalous and 0 with too few samples); give more history or raise training.holdout',
    },
    { holdout: 0.1 },
  )
})

test('nothing but labelled anomalies', async () => {
  await refused(await writeMachine({ hours: 24, label: '1' }), {
    code: 'too_little_data',
    message:
      '0 windows are left to train on, at least 50 are needed (192 windows in the history, 192 of them labelled anomalous and 0 with too few samples); give more history',
  })
})

test('nothing but missing values', async () => {
  const file = await write(
    folder(),
    'nothing.parquet',
    `SELECT TIMESTAMPTZ '2020-03-09 00:00:00+00' + to_minutes(i::INTEGER) AS timestamp, 'n' AS node,
      'NaN'::DOUBLE AS a, NULL::DOUBLE AS b FROM range(3000) t(i)`,
  )
  await refused(file, {
    code: 'too_little_data',
    message:
      'no window of the history holds a value: each of the 2 metrics (a, b) is NULL, NaN or infinite throughout',
  })
})

test('nothing that varies', async () => {
  const file = await writeMachine({ hours: 24 })
  const catalogue = {
    site: 'Still',
    metrics: [{ name: 'still', sensors: ['still'], unit: '', periodSeconds: 60, plugin: 'ipmi' }],
  }
  const still = await writeMachine({ hours: 24, extra: ', 7.0 AS still' })
  const { out, left } = place()
  await assert.rejects(run(still, out, {}, { catalogue }), {
    code: 'too_little_data',
    message: 'no feature varies over the training windows: there is nothing to learn from',
  })
  await assert.rejects(run(file, out, {}, { catalogue }), {
    code: 'too_little_data',
    message:
      "the catalogue of Still names none of the 5 metrics of the history (power, cpu_temp, ambient, cpu_user, fan …); use the site's own catalogue or none",
  })
  assert.deepEqual([...left(), ...readdirSync(temporary)], [])
})

test('more centres than windows', async () => {
  await refused(
    machine,
    {
      code: 'too_little_data',
      message: "460 training windows can't fill 500 centres; lower training.centres",
    },
    { centres: 500 },
  )
})

test('a few epochs of the report are the mean predictor, and the guard says so', async () => {
  await refused(
    await writeMachine({ hours: 24 }),
    {
      code: 'guard',
      message:
        /^the autoencoder \(error [\d.]+\) is no better than predicting the mean \([\d.]+\): it has not left its first plateau, epochs \d–12 at the mean predictor's error\. Set training\.pretrain\.epochs to 24 \(now 12\), training\.pretrain\.initialiser to variance-scaling, or try a smaller training\.pretrain\.batch \(now [0-9]+\) or another training\.pretrain\.learning_rate \(now 0\.1\)$/,
    },
    { preset: 'report', hidden: [20, 20], pretrain: { epochs: 12, batch: 16 } },
  )
})

test('rates that are too high name their key', async () => {
  await refused(
    machine,
    { code: 'diverged', message: /lower training\.pretrain\.learning_rate \(now 1000000\)$/ },
    { pretrain: { optimiser: 'sgd', learning_rate: 1e6 } },
  )
  await refused(
    machine,
    { code: 'diverged', message: /lower training\.cluster\.learning_rate \(now 1000000\)$/ },
    { cluster: { optimiser: 'sgd', learning_rate: 1e6 } },
  )
})

test('a refusal leaves an older bundle alone', async () => {
  const { out, left } = place()
  const { version } = await run(machine, out, { pretrain: { epochs: 10 } })
  const short = await writeMachine({ hours: 6 })
  await assert.rejects(run(short, out), { code: 'too_little_data' })
  assert.equal(openBundle(out).version, version)
  const newer = await run(machine, out, { pretrain: { epochs: 10 }, seed: 5 })
  assert.notEqual(newer.version, version)
  assert.equal(openBundle(out).version, newer.version)
  assert.deepEqual(left(), ['model'])
})

test('what is not a bundle is refused before anything is read', async () => {
  const { out } = place()
  mkdirSync(out)
  writeFileSync(join(out, 'notes'), '')
  const progress: Progress = { step: (name) => assert.fail(`began to ${name}`) }
  await assert.rejects(run(machine, out, {}, { progress }), { code: 'bundle_mismatch' })
})

for (const step of ['read windows', 'fit scaler']) {
  test(`Ctrl-C at the step "${step}" leaves nothing`, async () => {
    const { out, left } = place()
    await interrupted(out, (name, event) => name === step && event === 'begun')
    assert.deepEqual([...left(), ...readdirSync(temporary)], [])
  })
}

/** Runs until the progress tells what `when` waits for. */
async function interrupted(
  out: string,
  when: (name: string, event: 'begun' | 'finished') => boolean,
): Promise<void> {
  const controller = new AbortController()
  const look = (name: string, event: 'begun' | 'finished'): void => {
    if (when(name, event)) controller.abort()
  }
  const progress: Progress = {
    step(name) {
      look(name, 'begun')
      return { advance() {}, finish: () => look(name, 'finished') }
    },
  }
  await assert.rejects(run(machine, out, {}, { progress, signal: controller.signal }), { name: 'AbortError' })
}

for (const step of ['train autoencoder', 'train DEC', 'calibrate']) {
  test(`Ctrl-C at the step "${step}" leaves the work to go on with, and no bundle`, async () => {
    const { out, left } = place()
    await interrupted(out, (name, event) => name === step && event === 'begun')
    assert.deepEqual([...left(), ...readdirSync(temporary)], ['.model.training'])
  })
}

test('Ctrl-C after the last step, before the bundle is written, leaves no bundle', async () => {
  const { out, left } = place()
  await interrupted(out, (name, event) => name === 'calibrate' && event === 'finished')
  assert.deepEqual([...left(), ...readdirSync(temporary)], ['.model.training'])
})

test('a place that can not be written is refused before anything is read', async () => {
  const parent = folder()
  writeFileSync(join(parent, 'file'), '')
  const out = join(parent, 'file', 'model')
  const progress: Progress = { step: (name) => assert.fail(`began to ${name}`) }
  await assert.rejects(run(machine, out, {}, { progress }), {
    name: 'ModelError',
    code: 'not_writable',
    message: /^no bundle can be written to .*: ENOTDIR/,
  })
})

test('a metric without a single value, and one with an infinite value, make a model', async () => {
  const odd = ", NULL::DOUBLE AS empty, CASE WHEN i = 77 THEN 'inf'::DOUBLE ELSE i END AS odd"
  const { out } = place()
  const { features, version } = await run(await writeMachine({ extra: odd }), out, {
    pretrain: { epochs: 10 },
  })
  assert.equal(features, 7 * 4)
  assert.equal(openBundle(out).version, version)
})
