/**
 * A million damaged messages of every form between the samples of a small machine: nothing throws, every one is counted or is a
 * sample still, memory stays flat, and the flags of the machine are those that it has without them.
 * `node --expose-gc test/soak/mutated.ts [--messages 1000000] [--seed 1]`
 */
import assert from 'node:assert/strict'
import { parseArgs } from 'node:util'
import pino from 'pino'
import { defaultConfig } from '../../src/config/load.ts'
import { detectorOptions } from '../../src/detect/options.ts'
import type { FlagRecord } from '../../src/detect/records.ts'
import { Pipeline } from '../../src/engine/pipeline.ts'
import { FORMS } from '../../src/examon/forms/form.ts'
import { openBundle } from '../../src/model/bundle.ts'
import { createRandom } from '../../src/model/random.ts'
import { Scorer } from '../../src/model/scorer.ts'
import { Machine } from '../../src/simulator/machine.ts'
import { SimulatorSource } from '../../src/sources/simulator.ts'
import type { SourceRecord } from '../../src/sources/source.ts'
import { Telemetry } from '../../src/telemetry/telemetry.ts'
import { featureCount } from '../../src/windows/schema.ts'
import { machine } from '../compare/machine.ts'
import { allRecords } from '../support/drain.ts'
import { REFERENCE_BUNDLE } from '../support/reference.ts'
import { rewrap } from '../support/rewrap.ts'

const START = Date.parse('2020-03-11T00:00:00Z')
const HOURS = 3
const NODES = 2
const BATCH = 1000
const LATENESS_MS = 60_000
/** Heap beyond the first tenth's that counts as growth, MB: what series of names that damage has made may take. */
const MOST_GROWTH_MB = 150
/** Foreign nodes whose messages are damaged, so that what is left of them touches no node of the machine. */
const FOREIGN = Array.from({ length: 50 }, (_, i) => `zz${i}`)

const { values } = parseArgs({
  options: { messages: { type: 'string', default: '1000000' }, seed: { type: 'string', default: '1' } },
})
const [messages, seed] = [Number(values.messages), Number(values.seed)]
const gc = globalThis.gc
if (gc === undefined) throw new Error('run it with --expose-gc')

const bundle = openBundle(REFERENCE_BUNDLE)
const scorer = await Scorer.create(bundle.model, featureCount(bundle.manifest.schema))
const simulated = new SimulatorSource({
  machine: new Machine({ nodes: NODES, seed: 4, startMs: START, faults: [] }),
  speed: 'max',
  endMs: START + HOURS * 3_600_000,
})
const good = await allRecords(simulated)
const sensors = bundle.manifest.schema.metrics.map(({ name }) => name)
const random = createRandom(seed)

const pick = <T>(of: readonly T[]): T => of[random.integer(of.length)] as T // below length

function damaged(timeMs: number, offset: number): SourceRecord {
  const topic = `org/t/node/${pick(FOREIGN)}/plugin/p/chnl/data/${pick(sensors)}`
  const payload = `${random.integer(1000) / 10};${(timeMs / 1000).toFixed(3)}`
  const record = { key: Buffer.from(topic), value: Buffer.from(payload), partition: 0, offset }
  const whole = rewrap(record, pick(FORMS))
  return { ...whole, key: damage(whole.key), value: damage(whole.value) }
}

/** One to four of: a byte changed, bytes cut off, a piece repeated, nothing. */
function damage(bytes: Buffer | null): Buffer | null {
  let result = bytes
  for (let i = random.integer(4); i >= 0 && result !== null && result.length > 0; i--) {
    const at = random.integer(result.length)
    switch (random.integer(5)) {
      case 0:
        result = Buffer.from(result)
        result[at] = random.integer(256)
        break
      case 1:
        result = result.subarray(0, at)
        break
      case 2:
        result = Buffer.concat([result.subarray(0, at), result.subarray(at >> 1)])
        break
      case 3:
        result = random.integer(50) === 0 ? null : result
    }
  }
  return result
}

/** Runs the machine's samples with so many damaged messages after each batch. */
async function run(between: number) {
  const telemetry = new Telemetry({ logger: pino({ level: 'silent' }), version: 'soak' })
  const options = {
    ...detectorOptions(defaultConfig().detect),
    futureSkewMs: 600_000,
    forgetAfterMs: 86_400_000,
    latenessMs: LATENESS_MS,
  }
  const pipeline = new Pipeline(
    bundle,
    scorer,
    telemetry,
    { ...options, isWhole: true },
    () => Number.NEGATIVE_INFINITY,
  )
  const flags: FlagRecord[] = []
  const heap: number[] = []
  let sent = 0
  for (let at = 0; at < good.length; at += BATCH) {
    const part = good.slice(at, at + BATCH)
    const nowMs = Math.max(...part.map(({ value }) => 1000 * Number(String(value).split(';').at(-1))))
    pipeline.ingest(part, nowMs)
    const bad = Array.from({ length: Math.min(between, messages - sent) }, () => damaged(nowMs, at))
    pipeline.ingest(bad, nowMs)
    sent += bad.length
    flags.push(...(await pipeline.close(nowMs - LATENESS_MS)).flags)
    if (between > 0 && Math.floor((10 * at) / good.length) > heap.length - 1) {
      gc?.()
      heap.push(process.memoryUsage().heapUsed / 2 ** 20)
    }
  }
  flags.push(...(await pipeline.close(Number.MAX_SAFE_INTEGER)).flags)
  const drops = Object.entries(telemetry.status.daemon.drops).filter(([, count]) => count > 0)
  return {
    flags: flags.filter(({ node }) => !FOREIGN.some((name) => node.startsWith(name.slice(0, 2)))),
    drops,
    heap,
    sent,
  }
}

const clean = await run(0)
const started = performance.now()
const dirty = await run(Math.ceil(messages / Math.ceil(good.length / BATCH)))
const seconds = (performance.now() - started) / 1000
const nodes = new Set(clean.flags.map(({ node }) => node))
// A damaged time up to the allowed skew ahead may open one more window, in which the machine is silent.
const last = Math.max(...clean.flags.map((flag) => Date.parse(flag.window_end)))
const kept = dirty.flags.filter((flag) => nodes.has(flag.node) && Date.parse(flag.window_end) <= last)
assert.equal(kept.length, clean.flags.length, 'as many flags of the machine as without')
for (const [i, flag] of clean.flags.entries()) assert.deepEqual(kept[i], flag)
const growth = (dirty.heap.at(-1) ?? 0) - (dirty.heap[1] ?? 0)
const dropped = dirty.drops.reduce((sum, [, count]) => sum + count, 0)
console.log(`${machine()}; seed ${seed}
${dirty.sent} damaged messages of ${FORMS.length} forms between ${good.length} samples, ${seconds.toFixed(0)} s
${clean.flags.length} flags of ${nodes.size} nodes, the same with and without them
refused ${dropped}: ${dirty.drops.map(([reason, count]) => `${reason} ${count}`).join(', ')}
heap after collection, by tenth: ${dirty.heap.map((mb) => mb.toFixed(0)).join(' ')} MB`)
assert.ok(growth < MOST_GROWTH_MB, `the heap grew by ${growth.toFixed(0)} MB`)
await scorer.release()
