import assert from 'node:assert/strict'
import { appendFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { modelOptions } from '../../src/bootstrap/presets.ts'
import type { Progress } from '../../src/bootstrap/progress.ts'
import type { TrainingConfig } from '../../src/config/schema.ts'
import {
  type Experiments,
  type ExperimentsRequest,
  experiments,
  runExperiments,
} from '../../src/tune/report-experiments.ts'
import { experimentsText } from '../../src/tune/report-experiments-text.ts'
import { silent, training } from '../bootstrap/machine.ts'
import { ANOMALOUS, smallPreset, writeNode } from '../evaluate/node-file.ts'
import { folder, withHistory } from '../history/parquet.ts'

/** Few passes over few windows: what is learned does not matter here. */
const few = (changes: Partial<TrainingConfig> = {}) =>
  smallPreset({ pretrain: { epochs: 3, batch: 32, initialiser: 'variance-scaling' }, ...changes })
const writeFew = () => writeNode({ windows: 120 })

function run(file: string, out: string, changes: Partial<ExperimentsRequest> = {}): Promise<Experiments> {
  return withHistory([file], (history) =>
    runExperiments({ history, training: few(), out, progress: silent, ...changes }),
  )
}

/** All but the times. */
function plain({ rows }: Experiments) {
  return rows.map(({ figures, ...row }) => ({ ...row, figures: figures && { ...figures, seconds: null } }))
}

/** Notes the name of every step; `onStep` sees it first. */
function listening(onStep: (name: string) => void = () => {}): { progress: Progress; names: string[] } {
  const names: string[] = []
  const progress: Progress = {
    step(name) {
      onStep(name)
      names.push(name)
      return { advance() {}, finish() {} }
    },
  }
  return { progress, names }
}

test('around the preset every value of the report once, with what it shares', () => {
  const list = experiments(modelOptions(training({ preset: 'report' }), 460, 15_310))
  assert.deepEqual(
    list.map(({ factor, value }) => `${factor} ${value}`),
    [
      'preset report',
      ...['code 10', 'code 50', 'code 100'],
      ...['gamma 0.1', 'gamma 0.3', 'gamma 0.8'],
      ...['batch 32', 'batch 64', 'optimiser adam'],
      ...['tolerance 0.0001', 'tolerance 0.001', 'tolerance 0.1'],
      ...['interval 100', 'interval 120', 'iterations 2000', 'iterations 4000'],
    ],
  )
  const [preset, code] = list
  assert.deepEqual(preset?.options.cluster.gamma, 0.5)
  assert.deepEqual(code?.options, { ...preset?.options, code: 10 })
  const adam = list.find(({ factor }) => factor === 'optimiser')?.options
  assert.deepEqual([adam?.pretrain.optimiser, adam?.cluster.optimiser], [{ kind: 'adam' }, { kind: 'adam' }])
})

/** One run without interruption, looked at by two tests. */
let whole: { file: string; out: string; names: string[]; result: Experiments }
before(async () => {
  const file = await writeFew()
  const out = join(folder(), 'experiments')
  const { progress, names } = listening()
  whole = { file, out, names, result: await run(file, out, { progress }) }
})

test('all experiments run, autoencoders are shared, and the folder holds the result', () => {
  const { out, names, result } = whole
  assert.deepEqual(result.windows, { read: 120, compared: 120, anomalous: ANOMALOUS })
  // The small preset differs from every value that the report tried, but for gamma .5 and tolerance .01.
  assert.equal(result.rows.length, 1 + 4 + 3 + 3 - 1 + 1 + 3 + 3 + 3)
  for (const { factor, value, figures, failed } of result.rows) {
    assert.equal(failed, null, `${factor} ${value}`)
    assert.ok(figures !== null && figures.accuracy !== null && figures.accuracy >= 0.5)
    assert.ok(figures.iterations > 0)
  }
  const autoencoders = names.filter((name) => name.includes('train autoencoder')).length
  assert.equal(autoencoders, 1 + 4 + 2 + 1) // the preset's, a code's, a batch's but for 32, Adam's
  assert.equal(names.filter((name) => name.includes('train DEC')).length, result.rows.length)
  assert.deepEqual(readdirSync(out).sort(), ['experiments.json', 'journal.ndjson'])
  assert.deepEqual(JSON.parse(readFileSync(join(out, 'experiments.json'), 'utf8')), result)
  assert.match(experimentsText(result), /gamma +0\.8 +0\.\d{4}/)
})

test('an interrupted run goes on where it was, and ends as if it had not been', async () => {
  const { file } = whole
  const out = join(folder(), 'interrupted')
  const controller = new AbortController()
  const first = listening((name) => {
    if (name.includes('gamma 0.3: train DEC')) controller.abort()
  })
  await assert.rejects(run(file, out, { progress: first.progress, signal: controller.signal }), {
    name: 'AbortError',
  })
  // As a power cut would leave it: half a line at the end.
  appendFileSync(join(out, 'journal.ndjson'), '{"trial":5,"rung":0,"row":{"fac')
  const kept = readFileSync(join(out, 'journal.ndjson'), 'utf8').split('\n').length - 2
  assert.ok(kept >= 2)
  const second = listening()
  const result = await run(file, out, { progress: second.progress })
  assert.deepEqual(plain(result), plain(whole.result))
  assert.equal(
    second.names.filter((name) => name.includes('train DEC')).length,
    whole.result.rows.length - kept,
  )
  // The preset's autoencoder came from the folder.
  assert.equal(second.names.filter((name) => name.includes('preset report')).length, 0)
  assert.match(second.names.find((name) => name.includes('gamma 0.3')) ?? '', /train DEC/)
  const third = listening()
  assert.deepEqual(await run(file, out, { progress: third.progress }), result)
  assert.equal(third.names.filter((name) => name.includes('train')).length, 0)
  await assert.rejects(
    run(file, out, { training: few({ seed: 9 }) }),
    /belongs to another search: seed differ/,
  )
  await assert.rejects(run(await writeNode(), out), /belongs to another search: windows differ/)
})

test('an experiment that diverges says so, and the others go on', async () => {
  const out = join(folder(), 'diverging')
  const { pretrain, ...others } = few()
  const request = { training: { ...others, pretrain: { ...pretrain, learning_rate: 1e6 } } }
  const { rows, ...rest } = await run(await writeFew(), out, request)
  const adam = rows.find(({ factor }) => factor === 'optimiser')
  assert.ok(adam?.figures)
  for (const { factor, figures, failed } of rows) {
    if (factor === 'optimiser') continue
    assert.equal(figures, null)
    assert.match(failed ?? '', /loss is NaN|loss is Infinity/)
  }
  assert.match(experimentsText({ rows, ...rest }), /preset +report +– .* failed/)
})

test('a folder of something else is left alone', async () => {
  const file = await writeFew()
  const foreign = folder()
  writeFileSync(join(foreign, 'thesis.tex'), '')
  await assert.rejects(run(file, foreign), /is not empty and holds no journal.ndjson/)
  writeFileSync(join(foreign, 'journal.ndjson'), 'notes of mine\n')
  await assert.rejects(run(file, foreign), /journal.ndjson:1: not a line of a journal/)
})
