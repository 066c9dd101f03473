/**
 * kill -9 at random moments while the daemon flags a stream, then the committed flags against a straight computation from the same
 * records: none lost, none twice, all equal.
 * `node test/soak/killed.ts [--kills 100] [--members 2] [--dynamic] [--seed 1]`
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isDeepStrictEqual, parseArgs } from 'node:util'
import { ListOffsetTimestamps } from '@platformatic/kafka'
import pino from 'pino'
import { defaultConfig } from '../../src/config/load.ts'
import { detectorOptions } from '../../src/detect/options.ts'
import type { FlagRecord } from '../../src/detect/records.ts'
import { Pipeline } from '../../src/engine/pipeline.ts'
import { openBundle } from '../../src/model/bundle.ts'
import { createRandom } from '../../src/model/random.ts'
import { Scorer } from '../../src/model/scorer.ts'
import { Machine } from '../../src/simulator/machine.ts'
import { SimulatorSource } from '../../src/sources/simulator.ts'
import type { SourceRecord } from '../../src/sources/source.ts'
import { Telemetry } from '../../src/telemetry/telemetry.ts'
import { featureCount } from '../../src/windows/schema.ts'
import { machine } from '../compare/machine.ts'
import { configuration, type Message, START_MS, send } from '../e2e/stream.ts'
import { startBroker } from '../support/broker.ts'
import { allRecords } from '../support/drain.ts'
import { consoleRead, createTopic, until, withAdmin } from '../support/kafka.ts'
import { flagsIn, readFlags, windowOf } from '../support/line.ts'
import { type Daemon, startDaemon } from '../support/program.ts'
import { REFERENCE_BUNDLE } from '../support/reference.ts'

const NODES = 2
const PARTITIONS = 2
/** As the sink makes its topics. */
const FLAG_PARTITIONS = 4
const HOUR = 3_600_000
/** Records come in the order of time. */
const LATENESS_MS = 60_000
/** Simulated time between two kills, with several windows' ends in it, so that a kill often falls into a transaction, ms. */
const ROUND_MS = 2 * HOUR
/** How often to look how far the victim has read, and the longest wait after that, ms: a transaction takes about as long. */
const LOOK_MS = 5
/** A member without a partition reads nothing, ms. */
const MOST_WAIT_MS = 3000
const KILL_WITHIN_MS = 40

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '100' },
    members: { type: 'string', default: '1' },
    dynamic: { type: 'boolean', default: false },
    seed: { type: 'string', default: '1' },
  },
})
const [kills, memberCount, seed] = [Number(values.kills), Number(values.members), Number(values.seed)]
const random = createRandom(seed)
const folder = mkdtempSync(join(tmpdir(), 'examon-dec-killed-'))
const broker = await startBroker()
if ('skip' in broker) throw new Error(broker.skip)
const { bootstrap } = broker

const simulated = new Machine({ nodes: NODES, seed: 7, startMs: START_MS, faults: [] })
const hours = new SimulatorSource({ machine: simulated, speed: 'max', endMs: START_MS + kills * ROUND_MS })
const records = await allRecords(hours)
const timeOf = ({ value }: Message): number => 1000 * Number(String(value).split(';').at(-1))

const started = performance.now()
const topic = await createTopic(bootstrap, PARTITIONS)
const { config, flags: flagsTopic } = configuration(bootstrap, folder, topic, 'earliest', '1h')
const startMember = (i: number): Promise<Daemon> =>
  startDaemon(join(folder, `${i}.yaml`), {
    ...config,
    source: { ...config.source, ...(values.dynamic ? {} : { instance_id: `member-${i}` }) },
  })
const recordsRead = async (daemon: Daemon): Promise<number> =>
  (await daemon.metrics()).get('examon_dec_records_read_total') ?? 0
const isReady = async (daemon: Daemon): Promise<boolean> => (await daemon.get('/readyz')).status === 200
const members = await Promise.all(Array.from({ length: memberCount }, (_, i) => startMember(i)))
let transactionsFailed = 0
let sent = 0
const restarts: number[] = []
for (let k = 0; k < kills; k++) {
  const end = records.findIndex((record) => timeOf(record) >= START_MS + (k + 1) * ROUND_MS)
  const round = records.slice(sent, end < 0 ? records.length : end)
  sent += round.length
  const victim = random.integer(memberCount)
  const daemon = members[victim] as Daemon // below the count
  await until(() => isReady(daemon), 'the member is ready')
  const sending = send(bootstrap, topic, PARTITIONS, round)
  if (k % 2 === 0) await flagWritten()
  else {
    const target = (await recordsRead(daemon)) + random.integer(Math.floor(round.length / memberCount / 2))
    const patience = Date.now() + MOST_WAIT_MS
    while ((await recordsRead(daemon)) < target && Date.now() < patience) await sleep(LOOK_MS)
    await sleep(random.integer(KILL_WITHIN_MS))
  }
  const exit = await daemon.stop('SIGKILL')
  await sending
  transactionsFailed += exit.stderr.split('"event":"commit_failed"').length - 1
  const killedAt = performance.now()
  members[victim] = await startMember(victim)
  await until(() => isReady(members[victim] as Daemon), 'the member is ready again')
  restarts.push((performance.now() - killedAt) / 1000)
  if ((k + 1) % 10 === 0) console.log(`${k + 1} kills, ${await flagsIn(bootstrap, flagsTopic)} flags`)
}
// Moves every node's partition past the last window.
const last = START_MS + kills * ROUND_MS + LATENESS_MS
await send(
  bootstrap,
  topic,
  PARTITIONS,
  simulated.nodes.map(({ name }) => ({
    key: Buffer.from(`org/cineca/cluster/marconi100/node/${name}/plugin/ipmi_pub/chnl/data/ambient`),
    value: Buffer.from(`20;${last / 1000}`),
  })),
)
const expected = await straight()
await until(async () => (await flagsIn(bootstrap, flagsTopic)) >= expected.size, 'a flag for every window')
for (const member of members) await member.stop('SIGTERM')

const committed = await readFlags(bootstrap, flagsTopic)
const aborted = (await readFlags(bootstrap, flagsTopic, false)).length - committed.length
const byWindow = new Map(committed.map((flag) => [windowOf(flag), flag]))
const missing = [...expected.keys()].filter((window) => !byWindow.has(window))
const unequal = [...expected].filter(([window, flag]) => !isDeepStrictEqual(byWindow.get(window), flag))
const foreign = (await consoleRead(bootstrap, flagsTopic, expected.size, 'read_committed')).map(
  ([, , value]) => windowOf(JSON.parse(value) as FlagRecord),
)
await broker.stop()
rmSync(folder, { recursive: true })
console.log(
  JSON.stringify({
    machine: machine(),
    members: memberCount,
    membership: values.dynamic ? 'dynamic' : 'static',
    kills,
    windows: expected.size,
    committed: committed.length,
    twice: committed.length - byWindow.size,
    lost: missing.length,
    unequal: unequal.length,
    seenByKafkasOwnReader: new Set(foreign).size,
    abortedByDeath: aborted,
    transactionsFailed,
    secondsToReady: [0.5, 1].map((q) =>
      restarts.toSorted((a, b) => a - b)[Math.ceil(q * kills) - 1]?.toFixed(1),
    ),
    seconds: Math.round((performance.now() - started) / 1000),
  }),
)
assert.deepEqual([committed.length, missing, unequal], [expected.size, [], []])
assert.equal(new Set(foreign).size, expected.size)

/** Resolves as soon as a flag has been written, mostly within its transaction. */
async function flagWritten(): Promise<void> {
  await withAdmin(bootstrap, async (admin) => {
    const partitions = Array.from({ length: FLAG_PARTITIONS }, (_, partitionIndex) => ({
      partitionIndex,
      timestamp: ListOffsetTimestamps.LATEST,
    }))
    const written = async (): Promise<number> => {
      const [found] = await admin.listOffsets({ topics: [{ name: flagsTopic, partitions }] })
      return (found?.partitions ?? []).reduce((sum, { offset }) => sum + Number(offset), 0)
    }
    const before = await written()
    const patience = Date.now() + MOST_WAIT_MS
    while ((await written()) === before && Date.now() < patience);
  })
}

/** Flags of every whole window, without Kafka. */
async function straight(): Promise<Map<string, FlagRecord>> {
  const bundle = openBundle(REFERENCE_BUNDLE)
  const scorer = await Scorer.create(bundle.model, featureCount(bundle.manifest.schema))
  let newest = Number.NEGATIVE_INFINITY
  const pipeline = new Pipeline(
    bundle,
    scorer,
    new Telemetry({ logger: pino({ level: 'silent' }), version: 'soak' }),
    {
      ...detectorOptions(defaultConfig().detect),
      futureSkewMs: Number.POSITIVE_INFINITY,
      forgetAfterMs: 24 * HOUR,
      latenessMs: LATENESS_MS,
      isWhole: true,
    },
    (_partition, timeMs) => {
      newest = Math.max(newest, timeMs)
      return newest
    },
  )
  const flags: FlagRecord[] = []
  for (let at = 0; at < records.length; at += 5000) {
    pipeline.ingest(records.slice(at, at + 5000) as SourceRecord[], 0)
    flags.push(...(await pipeline.close(newest - LATENESS_MS)).flags)
  }
  flags.push(...(await pipeline.close(START_MS + kills * ROUND_MS)).flags)
  await scorer.release()
  return new Map(flags.map((flag) => [windowOf(flag), flag]))
}
