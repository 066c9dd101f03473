/** The Alertmanager configuration in a real Alertmanager: a rack is one notification, and what follows from something larger is silent. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { until } from '../support/kafka.ts'
import { type Notification, openHook, skipWithout, startAlertmanager } from '../support/monitoring.ts'

const path = (name: string): string => new URL(name, import.meta.url).pathname
const CONFIG = path('../../deploy/alertmanager/alertmanager.yml')
const RULES = path('../../deploy/prometheus/examon-dec.rules.yml')

const skip = skipWithout('amtool', 'the Alertmanager configuration is')

test('amtool takes the configuration, and routes by severity', { skip }, () => {
  const check = spawnSync('amtool', ['check-config', CONFIG], { encoding: 'utf8' })
  assert.equal(check.status, 0, check.stdout + check.stderr)
  for (const [severity, receiver] of [
    ['warning', 'operators'],
    ['critical', 'operators-now'],
  ]) {
    const labels = ['alertname=ExamonDecLag', `severity=${severity}`]
    const { stdout } = spawnSync(
      'amtool',
      ['config', 'routes', 'test', `--config.file=${CONFIG}`, ...labels],
      {
        encoding: 'utf8',
      },
    )
    assert.equal(stdout.trim(), receiver)
  }
})

test('every alert that it names is one of the rules', () => {
  const known = new Set(readFileSync(RULES, 'utf8').match(/ExamonDec\w+/g))
  for (const [, whole = ''] of readFileSync(CONFIG, 'utf8').matchAll(/ExamonDec(\([^)]+\)|\w+)/g)) {
    for (const name of whole.replace(/[()]/g, '').split('|')) assert.ok(known.has(`ExamonDec${name}`), name)
  }
})

describe('Alertmanager', { skip }, () => {
  let url = ''
  let stop = async (): Promise<void> => {}
  after(() => stop())
  before(async () => {
    const hook = await openHook()
    const server = await startAlertmanager(hook)
    stop = async () => {
      await server.stop()
      hook.close()
    }
    url = server.url
    notifications = (instance) => hook.received.filter(({ groupLabels }) => groupLabels.instance === instance)
  })
  let notifications = (_instance: string): Notification[] => []

  const alert = (instance: string, name: string, severity: string, more: Record<string, string> = {}) => ({
    labels: { alertname: `ExamonDec${name}`, job: 'examon-dec', instance, severity, ...more },
  })
  async function post(alerts: object[]): Promise<void> {
    const response = await fetch(`${url}/api/v2/alerts`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(alerts),
    })
    assert.ok(response.ok, await response.text())
  }
  test('fifteen nodes of a rack are one notification, and it resolves', async () => {
    const nodes = Array.from({ length: 15 }, (_, i) =>
      alert('a', 'NodeAnomalous', 'warning', { rack: '205', node: `r205n${i}` }),
    )
    await post(nodes)
    await until(() => notifications('a').length > 0, 'a notification')
    assert.deepEqual(
      notifications('a').map(({ status, alerts }) => [status, alerts.length]),
      [['firing', 15]],
    )
    const endsAt = new Date().toISOString()
    await post(nodes.map((one) => ({ ...one, endsAt })))
    await until(() => notifications('a').some(({ status }) => status === 'resolved'), 'it resolves')
    assert.equal(notifications('a').filter(({ status }) => status === 'resolved').length, 1)
  })

  for (const [cause, silent] of [
    ['InputLost', ['NodeAnomalous', 'NodeSilent', 'ScoreDrift']],
    ['NotReady', ['Lag', 'InputLost']],
    ['RackAnomalous', ['NodeAnomalous']],
    ['ManyNodesAnomalous', ['NodeAnomalous', 'RackAnomalous']],
  ] as const)
    test(`${cause} silences ${silent.join(', ')}, and nothing of another daemon`, async () => {
      const where = { rack: '206', node: 'r206n01' }
      await post([
        alert(cause, cause, 'critical', { rack: '206' }),
        ...silent.flatMap((name) => [
          alert(cause, name, 'warning', where),
          alert(`not ${cause}`, name, 'warning', where),
        ]),
      ])
      const state = async (instance: string) => {
        const found = (await (await fetch(`${url}/api/v2/alerts`)).json()) as {
          labels: { instance: string; alertname: string }
          status: { state: string }
        }[]
        return found
          .filter(({ labels }) => labels.instance === instance)
          .map(({ labels, status }) => [labels.alertname.replace('ExamonDec', ''), status.state])
          .sort()
      }
      const named = (names: readonly string[], as: string) => names.map((name) => [name, as]).sort()
      await until(
        async () => (await state(cause)).filter(([, is]) => is === 'suppressed').length === silent.length,
        'they are silenced',
      )
      assert.deepEqual(
        (await state(cause)).filter(([name]) => name !== cause),
        named(silent, 'suppressed'),
      )
      await until(() => notifications(`not ${cause}`).length > 0, 'the other daemon is heard')
      const other = (await state(`not ${cause}`)).filter(([, is]) => is === 'active')
      assert.ok(other.length > 0)
    })
})
