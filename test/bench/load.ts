/**
 * A whole machine through a real broker: a simulated Marconi-100 at a multiple of real time, the daemon beside it, and at the end what
 * it took and whether a flag came for every window of every node. `node test/bench/load.ts [--minutes 5] [--nodes 980] [--speed 10]`
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { writeHistory } from '../../src/simulator/history.ts'
import { machine } from '../compare/machine.ts'
import { startBroker } from '../support/broker.ts'
import { uniqueName, withAdmin } from '../support/kafka.ts'
import { flagsIn, readFlags, recordsIn, sum, train } from '../support/line.ts'
import { cpuSeconds, residentMegabytes } from '../support/process.ts'
import { launch, startDaemon } from '../support/program.ts'

const MINUTE_MS = 60_000
const DAY_MS = 86_400_000
const WINDOW_MS = 15 * MINUTE_MS
const PARTITIONS = 4
const TRAINING = { nodes: 10, days: 2 }
const TRAINING_FROM = Date.parse('2020-03-09T00:00:00Z')
const CATALOGUE = new URL('../../config/marconi100.catalogue.yaml', import.meta.url).pathname
const WATCH_MS = 1000
const SCRAPE_EVERY = 10
const IDLE_TIMEOUT = '30s'
/** What the last windows may take after the producer's end: idle time-out, close, and a backlog if there is one. */
const DRAIN_MS = 300_000

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '5' },
    nodes: { type: 'string', default: '980' },
    speed: { type: 'string', default: '10' },
  },
})
const [minutes, nodes, speed] = [values.minutes, values.nodes, values.speed].map((text) => {
  const value = Number(text)
  if (!(value > 0)) throw new Error(`a number above 0 is needed, not ${text}`)
  return value
}) as [number, number, number]

/** Busy and all CPU time of the machine since it started, ticks. */
function machineTime(): { busy: number; all: number } {
  const ticks = (readFileSync('/proc/stat', 'utf8').split('\n')[0] ?? '').split(/\s+/).slice(1, 9).map(Number)
  const all = sum(ticks)
  return { busy: all - (ticks[3] ?? 0) - (ticks[4] ?? 0), all } // idle and iowait
}

/** Quantile of a Prometheus histogram, linear within its bucket as `histogram_quantile` does it. */
function quantile(metrics: ReadonlyMap<string, number>, name: string, q: number): number {
  const total = metrics.get(`${name}_count`) ?? 0
  let [below, from] = [0, 0]
  for (const [series, count] of metrics) {
    const bound = series.startsWith(`${name}_bucket{le="`)
      ? series.slice(`${name}_bucket{le="`.length, -2)
      : ''
    if (bound === '') continue
    if (count >= q * total) {
      const to = Number(bound)
      if (!Number.isFinite(to)) return from
      return count === below ? to : from + ((to - from) * (q * total - below)) / (count - below)
    }
    ;[below, from] = [count, Number(bound)]
  }
  return Number.NaN
}

/** Slope of a least-squares line through values taken at even distances, a step. */
function slope(values: readonly number[]): number {
  const middle = (values.length - 1) / 2
  const mean = sum(values) / values.length
  const over = sum(values.map((value, i) => (i - middle) * (value - mean)))
  return over / sum(values.map((_, i) => (i - middle) ** 2))
}

const folder = mkdtempSync(join(tmpdir(), 'examon-dec-load-'))
const broker = await startBroker()
if ('skip' in broker) process.exit(1) // it has said why
try {
  await measure(broker.bootstrap)
} finally {
  await broker.stop()
  rmSync(folder, { recursive: true })
}

async function measure(bootstrap: string): Promise<void> {
  const history = join(folder, 'history')
  const span = { fromMs: TRAINING_FROM, toMs: TRAINING_FROM + TRAINING.days * DAY_MS }
  await writeHistory({
    directory: history,
    layout: 'samples',
    nodes: TRAINING.nodes,
    seed: 1,
    ...span,
    faults: [],
  })
  const model = join(folder, 'model')
  await train([history], CATALOGUE, model)

  const [topic, flagsTopic] = [uniqueName('load'), uniqueName('flags')]
  await withAdmin(bootstrap, (admin) =>
    admin.createTopics({ topics: [topic], partitions: PARTITIONS, replicas: 1 }),
  )
  const daemon = await startDaemon(join(folder, 'daemon.yaml'), {
    model,
    source: {
      type: 'kafka',
      brokers: [bootstrap],
      topics: [topic],
      group: uniqueName('load'),
      from: 'earliest',
      state_topic: uniqueName('state'),
    },
    sinks: [
      { type: 'kafka', brokers: [bootstrap], flags_topic: flagsTopic, alarms_topic: uniqueName('alarms') },
    ],
    windows: { idle_timeout: IDLE_TIMEOUT },
    http: { port: 0 },
  })
  const value = async (name: string) => (await daemon.metrics()).get(`examon_dec_${name}`) ?? Number.NaN
  while ((await daemon.get('/readyz')).status !== 200) await sleep(WATCH_MS)

  // Whole windows, all of them in the past.
  const simulatedMs = minutes * speed * MINUTE_MS
  const startMs = Math.floor((Date.now() - simulatedMs - WINDOW_MS) / WINDOW_MS) * WINDOW_MS
  const started = performance.now()
  const [daemonBefore, machineBefore] = [cpuSeconds(daemon.pid), machineTime()]
  const producer = launch([
    ...['simulate', '--to', 'kafka', '--brokers', bootstrap, '--topic', topic, '--nodes', `${nodes}`],
    ...[
      '--speed',
      `${speed}`,
      '--days',
      `${simulatedMs / DAY_MS}`,
      '--start',
      new Date(startMs).toISOString(),
    ],
  ])
  let produced: Awaited<typeof producer.exit> | null = null
  void producer.exit.then((exit) => {
    produced = exit
  })
  const rss: number[] = []
  let producerCpu = 0
  for (let second = 1; produced === null; second++) {
    await sleep(WATCH_MS)
    rss.push(residentMegabytes(daemon.pid))
    if (produced === null) producerCpu = cpuSeconds(producer.child.pid ?? 0)
    if (second % SCRAPE_EVERY === 0) {
      const [lag, sent] = [await value('source_lag_records'), sum(await recordsIn(bootstrap, topic))]
      const rate = (sent / (performance.now() - started)) * 1000
      console.error(
        `${second} s: ${sent} records, ${rate.toFixed(0)}/s, lag ${lag}, RSS ${rss.at(-1)?.toFixed(0)} MB`,
      )
    }
  }
  const { code, stderr } = produced as Awaited<typeof producer.exit>
  if (code !== 0) throw new Error(`the producer failed: ${stderr}`)
  const seconds = (performance.now() - started) / 1000
  const lagAtEnd = await value('source_lag_records')
  const daemonCpu = cpuSeconds(daemon.pid) - daemonBefore
  const now = machineTime()
  const busy = (now.busy - machineBefore.busy) / (now.all - machineBefore.all)
  const sent = sum(await recordsIn(bootstrap, topic))
  while ((await value('source_lag_records')) > 0) await sleep(100)
  const drained = (performance.now() - started) / 1000 - seconds

  const windows = Math.ceil(simulatedMs / WINDOW_MS)
  const deadline = Date.now() + DRAIN_MS
  while ((await flagsIn(bootstrap, flagsTopic)) < nodes * windows && Date.now() < deadline)
    await sleep(WATCH_MS)
  const metrics = await daemon.metrics()
  const exit = await daemon.stop('SIGTERM')
  const flags = await readFlags(bootstrap, flagsTopic)
  const distinct = new Set(flags.map(({ node, window_start }) => `${node} ${window_start}`))
  const scored = flags.filter(({ score }) => score !== null).length
  const taken = metrics.get('examon_dec_samples_total') ?? 0
  const drops = [...metrics].filter(([name, n]) => name.startsWith('examon_dec_drops_total') && n > 0)
  // Memory falls at every collection of garbage; what it falls to is what would show a leak.
  const quarter = Math.ceil(rss.length / 4)
  const floors = [1, 2, 3].map((q) => Math.min(...rss.slice(q * quarter, (q + 1) * quarter)).toFixed(0))
  const steady = rss.slice(Math.floor(rss.length / 2)).toSorted((a, b) => a - b)
  const latency = (q: number) => quantile(metrics, 'examon_dec_close_to_flag_seconds', q).toFixed(2)
  const figure = (n: number) => Math.round(n).toLocaleString('en')

  console.log(`${machine()}, load average ${loadavg()[0]?.toFixed(1)}
${nodes} nodes at ${speed} times real time for ${(seconds / 60).toFixed(1)} min (${minutes} min asked)
records in        ${figure(sent)}, ${figure(sent / seconds)} a second
samples taken     ${figure(taken)}, ${figure(taken / (seconds + drained))} a second
dropped           ${drops.map(([name, n]) => `${/reason="(\w+)"/.exec(name)?.[1]} ${figure(n)}`).join(', ') || 'none'}
lag               ${figure(lagAtEnd)} records when the producer ended, none ${drained.toFixed(1)} s later
CPU               daemon ${daemonCpu.toFixed(0)} s (${((100 * daemonCpu) / seconds).toFixed(0)} % of a core), producer ${producerCpu.toFixed(0)} s, machine ${(100 * busy).toFixed(0)} % busy
RSS, second half  ${steady[0]?.toFixed(0)} / ${steady[Math.floor(steady.length / 2)]?.toFixed(0)} / ${steady.at(-1)?.toFixed(0)} MB (least, median, most), ${(60 * slope(rss.slice(Math.floor(rss.length / 2)))).toFixed(1)} MB a minute; least by quarter from the second on ${floors.join(' / ')} MB
windows           ${figure(nodes * windows)} expected, ${figure(distinct.size)} flagged, ${figure(flags.length - distinct.size)} twice, ${figure(scored)} scored
close to flag     p50 ${latency(0.5)} s, p99 ${latency(0.99)} s
daemon's exit     ${exit.code}`)
}
