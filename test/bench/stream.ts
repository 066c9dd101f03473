/**
 * How fast is the line? Records of a whole machine in a real broker, read by Kafka's own ConsumerPerformance, which does nothing
 * with them, by a straightforward peer in Python, which makes windows only, and by the daemon: fetch, decode, windows, scores, flags
 * to Kafka. In turns on the same topic; ratios of one run.
 * `node test/bench/stream.ts [--records 2000000] [--nodes 980] [--rounds 3] [--json]`
 */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs, promisify } from 'node:util'
import { loadCatalogue } from '../../src/examon/catalogue.ts'
import { writeHistory } from '../../src/simulator/history.ts'
import { placeNodes } from '../../src/simulator/layout.ts'
import { KafkaWriter } from '../../src/sinks/producer.ts'
import { machine } from '../compare/machine.ts'
import { kafkaLibraries, startBroker } from '../support/broker.ts'
import { createTopic, uniqueName } from '../support/kafka.ts'
import { train } from '../support/line.ts'
import { cpuSeconds, residentMegabytes } from '../support/process.ts'
import { startDaemon } from '../support/program.ts'

const PARTITIONS = 4
const METRICS = 115
/** Sensors of a pool, as of the cores of a socket. */
const POOLED = 16
/** Event time between two samples of a series, s: the records of a default run span a window's end. */
const STEP_SECONDS = 60
const START_SECONDS = Date.parse('2020-04-01T00:00:00Z') / 1000
const CHUNK = 20_000
const DAY_MS = 86_400_000
const WATCH_MS = 50
const CATALOGUE = new URL('../../config/marconi100.catalogue.yaml', import.meta.url).pathname
const run = promisify(execFile)

const { values } = parseArgs({
  options: {
    records: { type: 'string', default: '2000000' },
    nodes: { type: 'string', default: '980' },
    rounds: { type: 'string', default: '3' },
    json: { type: 'boolean', default: false },
  },
})
const [records, nodes, rounds] = [Number(values.records), Number(values.nodes), Number(values.rounds)]

const folder = mkdtempSync(join(tmpdir(), 'examon-dec-stream-'))
const broker = await startBroker()
if ('skip' in broker) process.exit(1) // it has said why
try {
  await measure(broker.bootstrap)
} finally {
  await broker.stop()
  rmSync(folder, { recursive: true })
}

interface Round {
  /** Records a second. */
  kafka: number
  daemon: number
  /** Of the peer in Python; null where it can't run here. */
  python: number | null
  /** CPU seconds of the daemon a million records. */
  cpu: number
  /** Largest resident memory seen, MB. */
  rss: number
}

async function measure(bootstrap: string): Promise<void> {
  const model = join(folder, 'model')
  const history = join(folder, 'history')
  const fromMs = Date.parse('2020-03-09T00:00:00Z')
  const span = { fromMs, toMs: fromMs + DAY_MS }
  await writeHistory({ directory: history, layout: 'samples', nodes: 10, seed: 1, ...span, faults: [] })
  await train([history], CATALOGUE, model)
  const topic = await createTopic(bootstrap, PARTITIONS)
  await fill(bootstrap, topic)

  const found: Round[] = []
  for (let round = 0; round < rounds; round++) {
    // The order changes, so that neither side always finds the other's page cache.
    const kafka = round % 2 === 0 ? await consumerPerformance(bootstrap, topic) : 0
    const ours = await daemonRate(bootstrap, topic, model)
    const python = await pythonRate(bootstrap, topic)
    found.push({ kafka: kafka || (await consumerPerformance(bootstrap, topic)), python, ...ours })
    console.error(JSON.stringify(found.at(-1)))
  }
  const median = (of: number[]): number =>
    of.toSorted((a, b) => a - b)[Math.floor(of.length / 2)] ?? Number.NaN
  const result = {
    machine: machine(),
    records,
    nodes,
    rounds: found,
    kafka: median(found.map((one) => one.kafka)),
    daemon: median(found.map((one) => one.daemon)),
    ratio: median(found.map((one) => one.daemon / one.kafka)),
    pythonRatio: median(found.map((one) => (one.python === null ? Number.NaN : one.daemon / one.python))),
    cpuSecondsPerMillion: median(found.map((one) => one.cpu)),
    rssMB: Math.max(...found.map((one) => one.rss)),
  }
  if (values.json) console.log(JSON.stringify(result))
  else
    console.log(`${result.machine}
${records} records, ${nodes} nodes × ${METRICS} metrics, medians of ${rounds} rounds
ConsumerPerformance  ${Math.round(result.kafka)} records/s
the daemon           ${Math.round(result.daemon)} records/s, ${result.ratio.toFixed(2)} of it
the peer in Python   ${found[0]?.python === null ? 'not here (pip install confluent-kafka numpy)' : `the daemon has ${result.pythonRatio.toFixed(1)} times its rate`}
CPU                  ${result.cpuSecondsPerMillion.toFixed(2)} s a million records
RSS                  ${result.rssMB.toFixed(0)} MB at most`)
}

/** The reference form, all series of a node on one partition, as `bridge` writes it. */
async function fill(bootstrap: string, topic: string): Promise<void> {
  const writer = new KafkaWriter({ brokers: [bootstrap], clientId: 'bench', brokersKey: '' })
  const sensors = loadCatalogue(CATALOGUE).metrics.flatMap(({ sensors: of }) =>
    of.flatMap((sensor) =>
      Array.from({ length: sensor.includes('*') ? POOLED : 1 }, (_, i) => sensor.replace('*', String(i))),
    ),
  )
  const series = placeNodes(nodes).flatMap(({ name }) =>
    sensors.slice(0, METRICS).map((sensor) => ({
      node: Buffer.from(name),
      key: Buffer.from(`org/cineca/cluster/marconi100/node/${name}/plugin/ipmi_pub/chnl/data/${sensor}`),
    })),
  )
  for (let sent = 0; sent < records; sent += CHUNK) {
    const size = Math.min(CHUNK, records - sent)
    await writer.write(
      Array.from({ length: size }, (_, i) => {
        const number = sent + i
        const { node, key } = series[number % series.length] as (typeof series)[number] // below length
        const seconds = START_SECONDS + STEP_SECONDS * Math.floor(number / series.length)
        const value = Buffer.from(`${20 + (number % 100) / 10};${seconds}.010`)
        return { topic, key, value, partitionBy: node }
      }),
    )
  }
  await writer.close()
}

/** Records a second by Kafka's own tool, without the time that joining its group takes. */
async function consumerPerformance(bootstrap: string, topic: string): Promise<number> {
  const { stdout } = await run(
    'java',
    [
      ...['-Xmx512m', '-cp', `${await kafkaLibraries()}/*`, 'org.apache.kafka.tools.ConsumerPerformance'],
      ...['--bootstrap-server', bootstrap, '--topic', topic, '--messages', String(records)],
      ...['--group', uniqueName('perf'), '--timeout', '60000'],
    ],
    { maxBuffer: 2 ** 20 },
  )
  const lines = stdout.split('\n').filter((line) => line.includes(','))
  const names = (lines[0] ?? '').split(',').map((name) => name.trim())
  const rate = Number((lines.at(-1) ?? '').split(',')[names.indexOf('fetch.nMsg.sec')])
  if (!(rate > 0)) throw new Error(`ConsumerPerformance said: ${stdout}`)
  return rate
}

/** Records a second by peer.py, which makes the same windows and scores none. */
async function pythonRate(bootstrap: string, topic: string): Promise<number | null> {
  try {
    const peer = new URL('peer.py', import.meta.url).pathname
    const sizes = [records, nodes * METRICS].map(String)
    const { stdout } = await run('python3', [peer, bootstrap, topic, uniqueName('peer'), ...sizes])
    return Number(stdout)
  } catch (error) {
    if (!/No module named|ENOENT/.test((error as Error).message)) throw error
    return null
  }
}

async function daemonRate(
  bootstrap: string,
  topic: string,
  model: string,
): Promise<Omit<Round, 'kafka' | 'python'>> {
  const daemon = await startDaemon(join(folder, 'daemon.yaml'), {
    model,
    source: {
      ...{ type: 'kafka', brokers: [bootstrap], topics: [topic], from: 'earliest' },
      ...{ group: uniqueName('stream'), state_topic: uniqueName('state') },
    },
    sinks: [
      {
        ...{ type: 'kafka', brokers: [bootstrap] },
        ...{ flags_topic: uniqueName('flags'), alarms_topic: uniqueName('alarms') },
      },
    ],
    http: { port: 0 },
  })
  const read = async () => (await daemon.metrics()).get('examon_dec_records_read_total') ?? 0
  let rss = 0
  let [first, started, cpuBefore] = [0, 0, 0]
  for (;;) {
    const count = await read()
    rss = Math.max(rss, residentMegabytes(daemon.pid))
    if (started === 0 && count > 0)
      [first, started, cpuBefore] = [count, performance.now(), cpuSeconds(daemon.pid)]
    if (count >= records) break
    await sleep(WATCH_MS)
  }
  const seconds = (performance.now() - started) / 1000
  const used = cpuSeconds(daemon.pid) - cpuBefore
  await daemon.stop('SIGTERM')
  return { daemon: (records - first) / seconds, cpu: (used / (records - first)) * 1e6, rss }
}
