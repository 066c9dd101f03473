/** Serving equals evaluation: the engine on replayed history gives the scores that `evaluate` gives on its windows. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import pino from 'pino'
import { bootstrap } from '../../src/bootstrap/bootstrap.ts'
import { defaultConfig } from '../../src/config/load.ts'
import { detectorOptions } from '../../src/detect/options.ts'
import type { FlagRecord } from '../../src/detect/records.ts'
import { Engine } from '../../src/engine/engine.ts'
import { evaluate } from '../../src/evaluate/evaluate.ts'
import { openHistory } from '../../src/history/history.ts'
import { type Bundle, openBundle } from '../../src/model/bundle.ts'
import { planFaults } from '../../src/simulator/faults.ts'
import { writeHistory } from '../../src/simulator/history.ts'
import { placeNodes } from '../../src/simulator/layout.ts'
import { NdjsonSink } from '../../src/sinks/ndjson.ts'
import { ReplaySource } from '../../src/sources/replay.ts'
import { Telemetry } from '../../src/telemetry/telemetry.ts'
import { folder, withHistory } from '../history/parquet.ts'
import { sharedData } from '../support/data.ts'
import { REFERENCE_BUNDLE } from '../support/reference.ts'

/** The order in which samples are summed up differs, and float32 makes something of it. */
const TOLERANCE = 1e-5
const START = Date.parse('2020-03-11T00:00:00Z')
const HOUR = 3_600_000

const { windows, detect, training } = defaultConfig()
const options = detectorOptions(detect)
const keyOf = ({ node, window_start }: FlagRecord): string => `${node} ${window_start}`

async function evaluated(bundle: Bundle, files: string[]): Promise<Map<string, FlagRecord>> {
  const flags = new Map<string, FlagRecord>()
  await withHistory(files, (history) =>
    evaluate(bundle, history, options, { onFlag: (flag) => flags.set(keyOf(flag), flag) }),
  )
  return flags
}

async function served(bundle: Bundle, files: string[]): Promise<Map<string, FlagRecord>> {
  const path = join(folder(), 'records.ndjson')
  const engine = new Engine({
    bundle,
    source: new ReplaySource({ history: await openHistory(files), speed: 'max' }),
    sinks: [new NdjsonSink({ flags: path, alarms: path, anomalousOnly: false })],
    checkpoint: null,
    telemetry: new Telemetry({ logger: pino({ level: 'silent' }), version: 'test' }),
    windows,
    detect: options,
  })
  await engine.start()
  try {
    await engine.run(new AbortController().signal)
  } finally {
    await engine.close()
  }
  const flags = readFileSync(path, 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as FlagRecord)
    .filter(({ kind }) => kind === 'flag')
  const byWindow = new Map(flags.map((flag) => [keyOf(flag), flag]))
  assert.equal(byWindow.size, flags.length, 'one flag a window')
  return byWindow
}

/** Windows that history leaves out hold no sample; all others agree. */
async function compare(t: TestContext, bundle: Bundle, files: string[]): Promise<void> {
  const [expected, found] = [await evaluated(bundle, files), await served(bundle, files)]
  let largest = 0
  let scored = 0
  for (const [key, flag] of found) {
    const other = expected.get(key)
    if (other === undefined) {
      assert.equal(flag.coverage, 0, `${key} is not in the history`)
      continue
    }
    assert.deepEqual(
      [flag.coverage, flag.score === null, flag.mode],
      [other.coverage, other.score === null, other.mode],
      key,
    )
    if (flag.score === null || other.score === null) continue
    scored++
    const deviation = Math.abs(flag.score - other.score)
    largest = Math.max(largest, deviation)
    assert.ok(deviation <= TOLERANCE, `${key}: ${flag.score} served, ${other.score} evaluated`)
  }
  assert.deepEqual(
    [...expected.keys()].filter((key) => !found.has(key)),
    [],
  )
  assert.ok(scored > 50, `${scored} windows scored`)
  t.diagnostic(`largest deviation of ${scored} scores: ${largest.toExponential(2)}`)
}

test('on a simulated machine with faults', async (t) => {
  const directory = folder()
  const span = { fromMs: START, toMs: START + 12 * HOUR }
  const nodes = 3
  const faults = planFaults({ nodes: placeNodes(nodes), seed: 3, ...span, count: 2 })
  await writeHistory({ directory, layout: 'samples', nodes, seed: 3, ...span, faults })
  await compare(t, openBundle(REFERENCE_BUNDLE), [join(directory, '*.parquet')])
})

const smd = sharedData('smd')
test('on a real server machine', { skip: smd === null }, async (t) => {
  const out = join(folder(), 'model')
  await withHistory([join(smd ?? '', 'machine-1-6.train.parquet')], (history) =>
    bootstrap({
      history,
      catalogue: null,
      // A short training; what is compared is not how good the model is.
      training: {
        ...training,
        pretrain: { ...training.pretrain, epochs: 5 },
        cluster: { ...training.cluster, max_iterations: 50 },
      },
      out,
      progress: { step: () => ({ advance() {}, finish() {} }) },
    }),
  )
  await compare(t, openBundle(out), [join(smd ?? '', 'machine-1-6.test.parquet')])
})
