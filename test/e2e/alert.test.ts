/** From a fault to the operator: the daemon on a node's samples, Prometheus with the rules, Alertmanager with its configuration. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { writeFault } from '../support/fault.ts'
import { until } from '../support/kafka.ts'
import { openHook, skipWithout, startAlertmanager, startPrometheus } from '../support/monitoring.ts'
import { startDaemon } from '../support/program.ts'
import { REFERENCE_BUNDLE } from '../support/reference.ts'

const RULES = new URL('../../deploy/prometheus/examon-dec.rules.yml', import.meta.url).pathname
/** A window ends every .75 s. */
const SPEED = 1200

const folder = mkdtempSync(join(tmpdir(), 'examon-dec-alert-'))
after(() => rmSync(folder, { recursive: true }))
const skip =
  skipWithout('prometheus', 'the way of an alert is') || skipWithout('amtool', 'the way of an alert is')

test('a fault arrives as one notification, and resolves', { skip }, async () => {
  const directory = join(folder, 'history')
  const victim = await writeFault(directory)
  const hook = await openHook()
  const alertmanager = await startAlertmanager(hook)
  const daemon = await startDaemon(join(folder, 'config.yaml'), {
    model: REFERENCE_BUNDLE,
    source: { type: 'replay', history: [join(directory, '**/*.parquet')], speed: SPEED },
    sinks: [{ type: 'ndjson', flags: join(folder, 'flags'), alarms: join(folder, 'alarms') }],
    http: { port: 0 },
  })
  const prometheus = await startPrometheus(`global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: ['${RULES}']
alerting: {alertmanagers: [{static_configs: [{targets: ['${new URL(alertmanager.url).host}']}]}]}
scrape_configs: [{job_name: examon-dec, static_configs: [{targets: ['${new URL(daemon.url).host}']}]}]
`)
  try {
    const heard = () =>
      hook.received.filter(({ groupLabels }) => groupLabels.alertname === 'ExamonDecNodeAnomalous')
    await until(() => heard().length > 0, 'a notification')
    await until(() => heard().some(({ status }) => status === 'resolved'), 'it resolves')
    assert.deepEqual(
      heard().map(({ status, alerts }) => [status, alerts.map(({ labels }) => labels.node)]),
      [
        ['firing', [victim]],
        ['resolved', [victim]],
      ],
    )
    const [first] = heard()
    assert.equal(first?.alerts[0]?.annotations.summary, `Node ${victim} behaves unlike its past`)
    // Those of the daemon itself are other groups: its model is of 2020. None says that anything fails.
    const others = new Set(hook.received.map(({ groupLabels }) => groupLabels.alertname))
    for (const name of [
      'ExamonDecRackAnomalous',
      'ExamonDecInputLost',
      'ExamonDecNotReady',
      'ExamonDecSinkFailing',
    ])
      assert.equal(others.has(name), false, name)
  } finally {
    await daemon.stop('SIGTERM')
    await Promise.all([prometheus.stop(), alertmanager.stop()])
    hook.close()
  }
})
