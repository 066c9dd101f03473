/** The daemon on ExaMon's own bus: what comes through a real MQTT broker has the scores that `evaluate` gives. */
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { connectAsync } from 'mqtt'
import type { FlagRecord } from '../../src/detect/records.ts'
import { openHistory } from '../../src/history/history.ts'
import { writeHistory } from '../../src/simulator/history.ts'
import { ReplaySource } from '../../src/sources/replay.ts'
import { drain } from '../support/drain.ts'
import { until } from '../support/kafka.ts'
import { flagsOfHistory, windowOf } from '../support/line.ts'
import { startMosquitto } from '../support/mosquitto.ts'
import { startDaemon } from '../support/program.ts'
import { REFERENCE_BUNDLE } from '../support/reference.ts'

const START = Date.parse('2020-03-11T00:00:00Z')
const HOURS = 3
const DAY_MS = 86_400_000
/** The scores differ by the order in which samples are summed up, and by what float32 makes of it. */
const TOLERANCE = 1e-5
/** Messages handed to the client at once. */
const AT_ONCE = 500

const folder = mkdtempSync(join(tmpdir(), 'examon-dec-mqtt-'))
const broker = await startMosquitto()
const skip = 'skip' in broker ? broker.skip : false
const url = 'url' in broker ? broker.url : ''
after(async () => {
  if ('stop' in broker) await broker.stop()
  rmSync(folder, { recursive: true })
})

const history = join(folder, 'history')
const flagsFile = join(folder, 'flags.ndjson')
const stateFile = join(folder, 'state', 'state.json')
const config = {
  model: REFERENCE_BUNDLE,
  source: { type: 'mqtt', url, state_file: stateFile },
  sinks: [
    { type: 'ndjson', flags: flagsFile, alarms: join(folder, 'alarms.ndjson') },
    { type: 'mqtt', url, prefix: 'org/test/cluster/marconi100' },
  ],
  windows: { idle_timeout: '2s' },
  http: { port: 0 },
}

function flags(): FlagRecord[] {
  if (!existsSync(flagsFile)) return []
  const lines = readFileSync(flagsFile, 'utf8').split('\n').slice(0, -1)
  return lines.map((line) => JSON.parse(line) as FlagRecord)
}

/** Publishes history as fast as the broker takes it. */
async function publish(): Promise<number> {
  const source = new ReplaySource({ history: await openHistory([history]), speed: 'max' })
  const client = await connectAsync(url, { protocolVersion: 4 })
  let sent = 0
  for await (const records of drain(source)) {
    for (let i = 0; i < records.length; i += AT_ONCE) {
      const part = records.slice(i, i + AT_ONCE)
      await Promise.all(
        part.map(({ key, value }) => client.publishAsync(String(key), value ?? Buffer.alloc(0))),
      )
    }
    sent += records.length
  }
  await client.endAsync()
  await source.close()
  return sent
}

describe('the daemon on MQTT', { skip }, () => {
  test('scores as evaluate does, and takes its state up again after kill -9', async () => {
    await writeHistory({
      layout: 'samples',
      directory: history,
      nodes: 2,
      seed: 4,
      faults: [],
      fromMs: START,
      toMs: START + HOURS * 3_600_000,
    })
    const expected = await flagsOfHistory(REFERENCE_BUNDLE, [history])
    const file = join(folder, 'daemon.yaml')
    const daemon = await startDaemon(file, config)
    await until(async () => (await daemon.get('/readyz')).status === 200, 'it is ready')
    const bus = await connectAsync(url, { protocolVersion: 4 })
    const scores = new Map<string, string>()
    bus.on('message', (topic, payload) =>
      scores.set(`${topic} ${String(payload).split(';')[1]}`, `${payload}`),
    )
    await bus.subscribeAsync('org/test/#', { qos: 1 })
    const sent = await publish()
    await until(async () => flags().length >= expected.size, 'a flag for every window')
    const read = flags()
    const points = 2 * read.filter(({ score }) => score !== null).length
    await until(() => scores.size >= points, 'every score is on the bus')
    // Its own scores come back to it, and are left alone.
    const metrics = async (name: string) => (await daemon.metrics()).get(`examon_dec_${name}`) ?? 0
    await until(
      async () => (await metrics('drops_total{reason="own_output"}')) === points,
      'own scores are known',
    )
    assert.equal(await metrics('records_read_total'), sent + points)
    await bus.endAsync()
    assert.equal(new Set(read.map(windowOf)).size, read.length, 'no window twice')
    let scored = 0
    for (const flag of read) {
      const other = expected.get(windowOf(flag))
      if (flag.score === null) continue
      scored++
      const seconds = (Date.parse(flag.window_end) / 1000).toFixed(3)
      const topic = `org/test/cluster/marconi100/node/${flag.node}/rack/205/plugin/examon-ai_pub/chnl/data/dec_score`
      assert.equal(scores.get(`${topic} ${seconds}`), `${flag.score};${seconds}`)
      assert.ok(Math.abs(flag.score - (other?.score ?? Number.NaN)) <= TOLERANCE, windowOf(flag))
    }
    assert.equal(scored, [...expected.values()].filter(({ score }) => score !== null).length)

    await until(() => existsSync(stateFile) && nodesIn(stateFile) === 2, 'the state is kept')
    await daemon.stop('SIGKILL')
    const again = await startDaemon(file, config)
    await until(async () => (await again.get('/readyz')).status === 200, 'it is ready again')
    // What is behind a node's last flag is not flagged again.
    await publish()
    const last = Math.max(...read.map((flag) => Date.parse(flag.window_end)))
    await until(
      async () =>
        ((await again.metrics()).get('examon_dec_watermark_timestamp_seconds') ?? 0) * 1000 > last + DAY_MS,
      'the bus counts as idle',
    )
    assert.equal((await again.metrics()).get('examon_dec_records_read_total'), sent)
    assert.equal(flags().length, read.length)
    const { code } = await again.stop('SIGTERM')
    assert.equal(code, 0)
  })
})

function nodesIn(file: string): number {
  return Object.keys((JSON.parse(readFileSync(file, 'utf8')) as { nodes: object }).nodes).length
}
