/** The Alertmanager configuration in a real Alertmanager: a rack is one notification, and what follows from something larger is silent. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { parse } from 'yaml'
import { until } from '../support/kafka.ts'
import { freePorts } from '../support/ports.ts'

const path = (name: string): string => new URL(name, import.meta.url).pathname
const CONFIG = path('../../deploy/alertmanager/alertmanager.yml')
const RULES = path('../../deploy/prometheus/examon-dec.rules.yml')

const isHere = spawnSync('amtool', ['--version']).status === 0
if (!isHere && process.env.CI === 'true')
  throw new Error('no amtool: the Alertmanager configuration is not checked')
const skip = isHere ? false : 'NO AMTOOL: THE ALERTMANAGER CONFIGURATION IS NOT CHECKED'

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

interface Notification {
  status: string
  groupLabels: Record<string, string>
  alerts: { status: string; labels: Record<string, string> }[]
}

describe('Alertmanager', { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'examon-dec-alertmanager-'))
  const received: Notification[] = []
  const hook = createServer((request, response) => {
    let text = ''
    request.on('data', (part) => {
      text += part
    })
    request.on('end', () => {
      received.push(JSON.parse(text))
      response.end()
    })
  })
  let url = ''
  let child: ReturnType<typeof spawn> | null = null
  after(async () => {
    const gone = new Promise((resolve) => child?.once('exit', resolve))
    child?.kill('SIGKILL')
    await gone
    hook.close()
    rmSync(folder, { recursive: true })
  })
  before(async () => {
    hook.listen(0, '127.0.0.1')
    await new Promise((resolve) => hook.once('listening', resolve))
    const [port = 0] = await freePorts(1)
    const file = join(folder, 'alertmanager.yml')
    // As it is shipped, but sooner, and to our own address.
    const text = readFileSync(CONFIG, 'utf8')
      .replaceAll('127.0.0.1:9099', `127.0.0.1:${(hook.address() as AddressInfo).port}`)
      .replace(/group_wait: \w+/, 'group_wait: 1s')
      .replace(/group_interval: \w+/, 'group_interval: 1s')
    assert.ok(parse(text))
    writeFileSync(file, text)
    child = spawn(
      'prometheus-alertmanager',
      [
        `--config.file=${file}`,
        `--storage.path=${join(folder, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`,
        '--cluster.listen-address=',
      ],
      { stdio: 'ignore' },
    )
    url = `http://127.0.0.1:${port}`
    const isReady = () =>
      fetch(`${url}/-/ready`).then(
        ({ ok }) => ok,
        () => false,
      )
    await until(isReady, 'Alertmanager is ready')
  })

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
  const notifications = (instance: string) =>
    received.filter(({ groupLabels }) => groupLabels.instance === instance)

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
