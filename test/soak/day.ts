/**
 * Some days of a machine at high speed through a real broker: memory and open files of the daemon stay flat, a flag comes for every window.
 * `node test/soak/day.ts [--nodes 20] [--days 4]`
 */
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { machine } from '../compare/machine.ts'
import { configuration, START_MS } from '../e2e/stream.ts'
import { startBroker } from '../support/broker.ts'
import { createTopic } from '../support/kafka.ts'
import { readFlags, recordsIn, sum, windowOf } from '../support/line.ts'
import { cpuSeconds, residentMegabytes } from '../support/process.ts'
import { launch, startDaemon } from '../support/program.ts'

const PARTITIONS = 4
const WINDOWS_A_DAY = 96
const LOOK_MS = 1000
/** Growth from the second quarter of the run to the last that counts as a leak: memory in MB, files. */
const MOST_GROWTH = { memory: 40, files: 2 }

const { values } = parseArgs({
  options: { nodes: { type: 'string', default: '20' }, days: { type: 'string', default: '4' } },
})
const [nodes, days] = [Number(values.nodes), Number(values.days)]
const folder = mkdtempSync(join(tmpdir(), 'examon-dec-day-'))
const broker = await startBroker()
if ('skip' in broker) throw new Error(broker.skip)
const { bootstrap } = broker
const topic = await createTopic(bootstrap, PARTITIONS)
const { config, file, flags } = configuration(bootstrap, folder, topic, 'earliest', '5s')
const ndjson = { type: 'ndjson', flags: join(folder, 'f.ndjson'), alarms: join(folder, 'a.ndjson') }
const daemon = await startDaemon(file, {
  ...config,
  sinks: [...config.sinks, { ...ndjson, max_size: '1MiB', keep: 2 }],
})
const started = performance.now()
const simulation = launch([
  ...['simulate', '--to', 'kafka', '--brokers', bootstrap, '--topic', topic, '--speed', 'max'],
  ...['--nodes', String(nodes), '--days', String(days), '--start', new Date(START_MS).toISOString()],
])
let isSent = false
void simulation.exit.then(({ code, stderr }) => {
  assert.equal(code, 0, stderr)
  isSent = true
})
const seen: { memory: number; files: number }[] = []
const value = async (name: string): Promise<number> => (await daemon.metrics()).get(`examon_dec_${name}`) ?? 0
for (;;) {
  seen.push({
    memory: residentMegabytes(daemon.pid),
    files: readdirSync(`/proc/${daemon.pid}/fd`).length,
  })
  if (isSent && (await value('records_read_total')) >= sum(await recordsIn(bootstrap, topic))) break
  await sleep(LOOK_MS)
}
const seconds = (performance.now() - started) / 1000
while ((await value('flags_total')) < nodes * WINDOWS_A_DAY * days) await sleep(LOOK_MS)
const cpu = cpuSeconds(daemon.pid)
await daemon.stop('SIGTERM')
const read = await readFlags(bootstrap, flags)
const records = sum(await recordsIn(bootstrap, topic))
await broker.stop()
rmSync(folder, { recursive: true })

const median = (of: number[]): number => of.toSorted((a, b) => a - b)[Math.floor(of.length / 2)] ?? Number.NaN
const quarter = Math.floor(seen.length / 4)
const parts = [seen.slice(quarter, 2 * quarter), seen.slice(-quarter)].map((part) => ({
  memory: Math.round(median(part.map(({ memory }) => memory))),
  files: median(part.map(({ files }) => files)),
})) as [{ memory: number; files: number }, { memory: number; files: number }]
const windows = new Set(read.map(windowOf)).size
console.log(
  JSON.stringify({
    ...{ machine: machine(), nodes, days, records, seconds: Math.round(seconds) },
    ...{ timesRealTime: Math.round((days * 86_400) / seconds), cpuSeconds: Math.round(cpu) },
    ...{ flags: read.length, windows, secondQuarter: parts[0], lastQuarter: parts[1] },
    mostMemory: Math.round(Math.max(...seen.map(({ memory }) => memory))),
  }),
)
assert.equal(read.length, windows, 'no window twice')
assert.ok(windows >= nodes * WINDOWS_A_DAY * days)
assert.ok(parts[1].memory - parts[0].memory <= MOST_GROWTH.memory, 'memory is flat')
assert.ok(parts[1].files - parts[0].files <= MOST_GROWTH.files, 'no file stays open')
