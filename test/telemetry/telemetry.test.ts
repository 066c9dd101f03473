import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { describe, test } from 'node:test'
import pino from 'pino'
import { DROP_REASONS } from '../../src/examon/sample.ts'
import { Telemetry } from '../../src/telemetry/telemetry.ts'
import { alarmOf, feedMachine, flagOf, LAST_END_MS } from '../status/machine.ts'

type Line = Record<string, unknown>

/** A telemetry with a clock that stands still, and the lines it logs. */
function setup() {
  const lines: Line[] = []
  const clock = { ms: 1_700_000_000_000 }
  const logger = pino(
    { level: 'trace', formatters: { level: (level) => ({ level }) } },
    { write: (line: string) => lines.push(JSON.parse(line) as Line) },
  )
  const telemetry = new Telemetry({ logger, version: '1.2.3', now: () => clock.ms })
  return { telemetry, lines, clock }
}

/** Samples of a metrics page by their full name with labels. */
async function samples(telemetry: Telemetry): Promise<Map<string, number>> {
  const { body } = await telemetry.scrape()
  const rows = body.split('\n').filter((l) => l.startsWith('examon_dec_'))
  return new Map(rows.map((l) => [l.slice(0, l.lastIndexOf(' ')), Number(l.slice(l.lastIndexOf(' ') + 1))]))
}

const hot = flagOf('r200n01', LAST_END_MS, 2.5, 'anomalous')
const model = {
  version: 'abc',
  path: 'm',
  trainedToMs: 1_699_999_000_000,
  nodes: 2,
  metrics: 3,
  features: 12,
  centres: 4,
}

/** Every method: the sample it moves and to what, and the event of its log line with its level. */
const EVENTS: [string, (t: Telemetry) => void, string, number, string, string][] = [
  ['starting', (t) => t.starting({ a: 1 }), 'ready', 0, 'starting', 'info'],
  ['ready', (t) => t.ready(), 'ready', 1, 'ready', 'info'],
  ['notReady', (t) => [t.ready(), t.notReady('no broker')], 'ready', 0, 'not_ready', 'warn'],
  ['stalled', (t) => t.stalled('x'), 'stalled', 1, 'stalled', 'error'],
  ['stopping', (t) => [t.ready(), t.stopping('SIGTERM')], 'ready', 0, 'stopping', 'info'],
  ['stopped', (t) => [t.ready(), t.stopped()], 'ready', 0, 'stopped', 'info'],
  ['recordsRead', (t) => t.recordsRead(7), 'records_read_total', 7, 'records', 'trace'],
  ['bridged', (t) => t.bridged(6), 'bridged_records_total', 6, 'bridged', 'trace'],
  ['samplesTaken', (t) => t.samplesTaken(8), 'samples_total', 8, 'samples', 'trace'],
  ['dropped', (t) => t.dropped('late', 'x', 3), 'drops_total{reason="late"}', 3, 'dropped', 'warn'],
  ['assigned', (t) => t.assigned([0, 4]), 'assigned_partitions', 2, 'assigned', 'info'],
  [
    'lag',
    (t) => t.lag([{ partition: 4, position: 3, end: 10 }]),
    'source_partition_lag_records{partition="4"}',
    7,
    'lag',
    'trace',
  ],
  ['nodeSpread', (t) => t.nodeSpread('n', [0, 2], 1, true), 'spread_nodes', 1, 'node_spread', 'info'],
  ['watermark', (t) => t.watermark(5000), 'watermark_timestamp_seconds', 5, 'watermark', 'trace'],
  [
    'sourceEvent',
    (t) => t.sourceEvent('reconnect', 'd'),
    'source_events_total{event="reconnect"}',
    1,
    'source',
    'info',
  ],
  ['inputSilent', (t) => t.inputSilent(1000), 'input_silent', 1, 'input_silent', 'error'],
  ['inputBack', (t) => [t.inputSilent(1000), t.inputBack()], 'input_silent', 0, 'input_back', 'info'],
  ['windowsClosed', (t) => t.windowsClosed(5, 2), 'windows_total{outcome="unscored"}', 2, 'windows', 'debug'],
  [
    'closeToFlag',
    (t) => t.closeToFlag(0.3),
    'close_to_flag_seconds_bucket{le="0.5"}',
    1,
    'close_to_flag',
    'trace',
  ],
  ['scored', (t) => t.scored(64, 0.02), 'scored_windows_total', 64, 'scored', 'debug'],
  ['clipped', (t) => t.clipped(3, 460), 'clipped_inputs_total', 3, 'clipped', 'trace'],
  ['modelLoaded', (t) => t.modelLoaded(model), 'model_age_seconds', 1000, 'model', 'info'],
  ['reloaded', (t) => t.reloaded('SIGHUP'), 'reloads_total{outcome="ok"}', 1, 'reloaded', 'info'],
  ['reloadFailed', (t) => t.reloadFailed('SIGHUP', 'x'), 'last_reload_ok', 0, 'reload_failed', 'error'],
  ['flag', (t) => t.flag(hot), 'node_score{node="r200n01",rack="r200"}', 2.5, 'flag', 'debug'],
  ['alarm', (t) => t.alarm(alarmOf(hot, 'pending')), 'alarms_total{to="anomalous"}', 1, 'alarm', 'warn'],
  [
    'nodeForgotten',
    (t) => [t.flag(hot), t.nodeForgotten('r200n01')],
    'nodes{state="anomalous"}',
    0,
    'node_forgotten',
    'info',
  ],
  [
    'sinkWrote',
    (t) => t.sinkWrote('kafka', 4, 1, 0.1),
    'sink_records_total{sink="kafka",kind="flag"}',
    4,
    'sink',
    'debug',
  ],
  [
    'sinkFailed',
    (t) => t.sinkFailed('kafka', new Error('e')),
    'sink_failures_total{sink="kafka"}',
    1,
    'sink_failed',
    'error',
  ],
  ['commitDone', (t) => t.commitDone(0.1), 'commit_seconds_count', 1, 'commit', 'debug'],
  [
    'commitFailed',
    (t) => t.commitFailed(new Error('e')),
    'commit_failures_total',
    1,
    'commit_failed',
    'error',
  ],
]

describe('every event', () => {
  for (const [name, call, metric, value, event, level] of EVENTS) {
    test(`${name}: a log line and a metric`, async () => {
      const { telemetry, lines } = setup()
      call(telemetry)
      assert.equal((await samples(telemetry)).get(`examon_dec_${metric}`), value)
      assert.equal(lines.at(-1)?.event, event)
      assert.equal(lines.at(-1)?.level, level)
    })
  }

  test('where it listens, a service manager that does not, and a lost history of the page are a line only', () => {
    const { telemetry, lines } = setup()
    telemetry.historyFailed(new Error('disk full'))
    assert.deepEqual([lines.at(-1)?.event, lines.at(-1)?.level], ['history_failed', 'warn'])
    telemetry.serviceManagerFailed(new Error('no socket'))
    assert.deepEqual([lines.at(-1)?.event, lines.at(-1)?.level], ['service_manager_failed', 'warn'])
    telemetry.listening('http://127.0.0.1:9/')
    assert.deepEqual([lines.at(-1)?.event, lines.at(-1)?.url], ['listening', 'http://127.0.0.1:9/'])
  })

  test('no method is left out of this table', () => {
    const others = ['constructor', 'scrape', 'listening', 'serviceManagerFailed', 'historyFailed']
    const methods = Object.getOwnPropertyNames(Telemetry.prototype).filter((m) => !others.includes(m))
    assert.deepEqual(EVENTS.map(([name]) => name).sort(), methods.sort())
  })
})

describe('drops', () => {
  test('one line a reason and minute, with the number left out; every drop is counted', async () => {
    const { telemetry, lines, clock } = setup()
    for (let i = 0; i < 1000; i++) telemetry.dropped('bad_payload', `payload ${i}`)
    telemetry.dropped('late')
    assert.deepEqual(
      lines.map((l) => [l.reason, l.detail, l.suppressed]),
      [
        ['bad_payload', 'payload 0', 0],
        ['late', undefined, 0],
      ],
    )
    clock.ms += 60_000
    telemetry.dropped('bad_payload', 'again')
    assert.equal(lines.at(-1)?.suppressed, 999)
    telemetry.dropped('bad_payload', 'more', 5)
    telemetry.stopped()
    assert.equal(lines.at(-2)?.suppressed, 5, 'the rest is told at the end')
    assert.equal((await samples(telemetry)).get('examon_dec_drops_total{reason="bad_payload"}'), 1006)
  })

  test('every reason is 0 from the start', async () => {
    const page = await samples(setup().telemetry)
    for (const reason of DROP_REASONS) assert.equal(page.get(`examon_dec_drops_total{reason="${reason}"}`), 0)
    assert.equal(page.has('examon_dec_watermark_timestamp_seconds'), false, 'not known is not 1970')
    assert.equal(page.has('examon_dec_model_age_seconds'), false)
  })
})

describe('series of a node', () => {
  test('one state series at a time; no score while it is not scored; nothing once forgotten', async () => {
    const { telemetry } = setup()
    telemetry.flag(flagOf('r200n01', LAST_END_MS, null, 'learning', null))
    telemetry.flag(flagOf('r200n01', LAST_END_MS, 0.5, 'normal', null))
    telemetry.flag(hot) // the rack is known only now
    const of = async () => [...(await samples(telemetry))].filter(([name]) => name.includes('node="r200n01"'))
    assert.deepEqual(Object.fromEntries(await of()), {
      'examon_dec_node_score{node="r200n01",rack="r200"}': 2.5,
      'examon_dec_node_state{node="r200n01",rack="r200",state="anomalous"}': 1,
      'examon_dec_node_mode{node="r200n01",rack="r200"}': 1,
      'examon_dec_node_last_window_end_timestamp_seconds{node="r200n01",rack="r200"}': LAST_END_MS / 1000,
    })
    telemetry.flag(flagOf('r200n01', LAST_END_MS + 1, null, 'silent'))
    assert.deepEqual((await of()).map(([name]) => name.split('{')[0]).sort(), [
      'examon_dec_node_last_window_end_timestamp_seconds',
      'examon_dec_node_state',
    ])
    telemetry.nodeForgotten('r200n01')
    assert.deepEqual(await of(), [])
  })

  test('9,408 nodes are scraped within a second', async () => {
    const { telemetry } = setup()
    feedMachine(telemetry, 9408, 1)
    await telemetry.scrape()
    const from = performance.now()
    const page = await samples(telemetry)
    const ms = performance.now() - from
    const states = [...page.keys()].filter((k) => k.startsWith('examon_dec_node_state{'))
    assert.equal(states.length, 9408)
    assert.ok(ms < 1000, `a scrape took ${ms.toFixed(0)} ms`)
  })
})

test('errors are logged by their messages alone, causes included', () => {
  const { telemetry, lines } = setup()
  const cause = Object.assign(new Error('SASL refused'), { sasl: { password: 'hunter2' } })
  telemetry.sinkFailed('kafka', new Error('can not write', { cause }))
  assert.equal(lines.at(-1)?.error, 'can not write: SASL refused')
  assert.doesNotMatch(JSON.stringify(lines), /hunter2/)
})

const promtool = spawnSync('promtool', ['--version']).status === 0
if (!promtool && process.env.CI === 'true') throw new Error('no promtool: the metrics page is not checked')

test('promtool finds nothing wrong', {
  skip: promtool ? false : 'NO PROMTOOL: THE METRICS PAGE IS NOT CHECKED',
}, async () => {
  const { telemetry } = setup()
  for (const [name, call] of EVENTS) if (name !== 'nodeForgotten') call(telemetry)
  feedMachine(telemetry, 40, 2)
  const { body } = await telemetry.scrape()
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], {
    input: body,
    encoding: 'utf8',
  })
  assert.equal(`${stdout}${stderr}`, '')
  assert.equal(status, 0)
})
