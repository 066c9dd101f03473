/** `bridge` between a real MQTT broker and a real Kafka broker. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { connectAsync } from 'mqtt'
import { stringify } from 'yaml'
import { startBroker } from '../support/broker.ts'
import { createTopic, streamRead, uniqueName, until } from '../support/kafka.ts'
import { recordsIn, sum } from '../support/line.ts'
import { startMosquitto } from '../support/mosquitto.ts'
import { type Daemon, runProgram, startDaemon } from '../support/program.ts'

const kafka = await startBroker()
const mosquitto = await startMosquitto()
const skip = ('skip' in kafka && kafka.skip) || ('skip' in mosquitto && mosquitto.skip)
const bootstrap = 'bootstrap' in kafka ? kafka.bootstrap : ''
const url = 'url' in mosquitto ? mosquitto.url : ''
const folder = mkdtempSync(join(tmpdir(), 'examon-dec-bridge-'))
after(async () => {
  if ('stop' in kafka) await kafka.stop()
  if ('stop' in mosquitto) await mosquitto.stop()
  rmSync(folder, { recursive: true })
})

const PARTITIONS = 4
const NODES = 12
const at = (node: number, metric: string): string => `org/t/node/n${node}/plugin/p/chnl/data/${metric}`

function configuration(topic: string) {
  return {
    file: join(folder, `${topic}.yaml`),
    config: {
      source: { type: 'mqtt', url, client_id: uniqueName('bridge') },
      bridge: { brokers: [bootstrap], topic },
      http: { port: 0 },
    },
  }
}

const metric = async (daemon: Daemon, name: string): Promise<number> =>
  (await daemon.metrics()).get(`examon_dec_${name}`) ?? 0

describe('bridge', { skip }, () => {
  test('every sample arrives once, in order, all of a node in one partition; the rest is counted by its reason', async () => {
    const topic = await createTopic(bootstrap, PARTITIONS)
    const { file, config } = configuration(topic)
    const bridge = await startDaemon(file, config, 'bridge')
    await until(async () => (await bridge.get('/readyz')).status === 200, 'it is ready')
    const client = await connectAsync(url, { protocolVersion: 4 })
    const sent: [string, string][] = []
    for (let i = 0; i < 1200; i++) {
      const message: [string, string] = [at(i % NODES, `m${i % 5}`), `${i};1658832080.010`]
      sent.push(message)
      await client.publishAsync(...message)
    }
    await client.publishAsync('org/t/node/n1/plugin/p/chnl/cmd/reset', '1;1')
    await client.publishAsync('org/t/plugin/vertiv_pub/chnl/data/temp', '1;1')
    await client.publishAsync('org/t/node/n1/plugin/examon-ai_pub/chnl/data/dec_score', '1;1')
    await client.publishAsync('org/t/node/n1/plugin/pmu_pub/chnl/data', 'CK')
    await client.publishAsync('org/t/bad', '1;1')
    await until(async () => (await metric(bridge, 'records_read_total')) === 1205, 'all is read')
    await until(async () => (await metric(bridge, 'bridged_records_total')) === 1200, 'all is acknowledged')
    for (const reason of ['not_data', 'no_node', 'own_output', 'bad_topic'])
      assert.equal(await metric(bridge, `drops_total{reason="${reason}"}`), 1, reason)

    const read = await streamRead(bootstrap, topic, 1200)
    const partitions = new Map<string, Set<number>>()
    for (const [partition, key] of read) {
      const node = key.split('/')[3] ?? ''
      partitions.set(node, (partitions.get(node) ?? new Set()).add(partition))
    }
    assert.equal(partitions.size, NODES)
    assert.ok([...partitions.values()].every((of) => of.size === 1))
    assert.ok(
      new Set([...partitions.values()].flatMap((of) => [...of])).size > 1,
      'nodes share the partitions',
    )
    for (let node = 0; node < NODES; node++) {
      const of = (messages: [string, string][]) =>
        messages.filter(([key]) => key.startsWith(`org/t/node/n${node}/`))
      assert.deepEqual(of(read.map(([, key, value]) => [key, value])), of(sent))
    }
    await client.endAsync()
    const { code } = await bridge.stop('SIGTERM')
    assert.equal(code, 0)
  })

  test('what comes while Kafka is away arrives when it is back', {
    skip: 'external' in kafka && kafka.external,
  }, async () => {
    assert.ok('kill' in kafka)
    const topic = await createTopic(bootstrap, 1)
    const { file, config } = configuration(topic)
    const bridge = await startDaemon(file, config, 'bridge')
    await until(async () => (await bridge.get('/readyz')).status === 200, 'it is ready')
    const client = await connectAsync(url, { protocolVersion: 4 })
    await client.publishAsync(at(0, 'm'), '0;1')
    await until(async () => (await metric(bridge, 'bridged_records_total')) === 1, 'the first is through')
    await kafka.kill()
    for (let i = 1; i < 200; i++) await client.publishAsync(at(0, 'm'), `${i};1`)
    await until(async () => (await bridge.get('/readyz')).status !== 200, 'it says that it is stuck')
    await kafka.start()
    await until(async () => (await metric(bridge, 'bridged_records_total')) === 200, 'all is through')
    await until(async () => (await bridge.get('/readyz')).status === 200, 'it is ready again')
    const values = (await streamRead(bootstrap, topic, sum(await recordsIn(bootstrap, topic)))).map(
      ([, , value]) => value,
    )
    assert.deepEqual(
      values,
      Array.from({ length: 200 }, (_, i) => `${i};1`),
    )
    await client.endAsync()
    const { code } = await bridge.stop('SIGTERM')
    assert.equal(code, 0)
  })

  test('a certificate that is not there ends the start', async () => {
    const { file, config } = configuration(uniqueName('unread'))
    const source = { ...config.source, url: url.replace('mqtt', 'mqtts'), tls: { ca: '/nowhere.pem' } }
    writeFileSync(file, stringify({ ...config, source }))
    const { code, stderr } = await runProgram('bridge', '--config', file)
    assert.match(stderr, /can't read \/nowhere\.pem \(config key source\.tls\.ca\)/)
    assert.equal(code, 1)
  })

  test('a topic that is not there ends the start, and so does a configuration without MQTT', async () => {
    const topic = uniqueName('absent')
    const { file, config } = configuration(topic)
    writeFileSync(file, stringify(config))
    const absent = await runProgram('bridge', '--config', file)
    assert.equal(absent.code, 1)
    assert.match(
      absent.stderr,
      new RegExp(`topic ${topic} does not exist on .* \\(config key bridge\\.topic\\)`),
    )
    writeFileSync(file, stringify({ source: { type: 'simulator' } }))
    const other = await runProgram('bridge', '--config', file)
    assert.equal(other.code, 2)
    assert.match(other.stderr, /source\.type: bridge reads mqtt, found simulator/)
    assert.match(other.stderr, /bridge is missing, and bridge needs it/)
  })
})
