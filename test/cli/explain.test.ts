import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { expectedMegabytes, explain, OLD_MODEL_DAYS } from '../../src/cli/explain.ts'
import { loadConfig } from '../../src/config/load.ts'
import { openBundle } from '../../src/model/bundle.ts'

const folder = mkdtempSync(join(tmpdir(), 'examon-dec-explain-'))
after(() => rmSync(folder, { recursive: true }))
const { manifest } = openBundle(new URL('../../models/reference', import.meta.url).pathname)
const trainedTo = manifest.training.toMs

function explained(yaml: string, nowMs = trainedTo) {
  const file = join(folder, 'config.yaml')
  writeFileSync(file, yaml)
  return explain(loadConfig(file), manifest, nowMs)
}

const KAFKA = 'source: {type: kafka, brokers: [a:1], topics: [t], instance_id: one}'
const RISKS: [what: string, yaml: string, risk: RegExp | null][] = [
  ['nothing', KAFKA, null],
  ['a member without a name', 'source: {type: kafka, brokers: [a:1], topics: [t]}', /source\.instance_id/],
  [
    'a cluster of its own',
    `${KAFKA}\nsinks: [{type: kafka, brokers: [b:1]}]`,
    /^sinks\[0\]: .* another cluster/,
  ],
  [
    'delivery switched off',
    'source: {type: kafka, brokers: [a:1], topics: [t], instance_id: one, delivery: at_least_once}\nsinks: [{type: kafka, brokers: [a:1]}]',
    /twice .*source\.delivery/,
  ],
  ['the same cluster', `${KAFKA}\nsinks: [{type: kafka, brokers: [a:1]}]`, null],
  ['files without end', `${KAFKA}\nsinks: [{type: ndjson, flags: f, alarms: a}]`, /^sinks\[0\]: files grow/],
  ['files with one', `${KAFKA}\nsinks: [{type: ndjson, flags: f, alarms: a, max_size: 1MiB}]`, null],
  [
    'states that are lost',
    'source: {type: mqtt, url: mqtt://a:1}\nsinks: [{type: ndjson, flags: f, alarms: a, max_size: 1MiB}]',
    /source\.state_file/,
  ],
  ['a bridge, which has no states', 'source: {type: mqtt, url: mqtt://a:1}', null],
  ['a port for everyone', `${KAFKA}\nhttp: {host: 0.0.0.0}`, /whoever reaches 0\.0\.0\.0:9464/],
  ['a token in clear', `${KAFKA}\nhttp: {host: 0.0.0.0, token: x}`, /in clear; set http\.tls/],
  ['an MQTT password in clear', 'source: {type: mqtt, url: mqtt://a:1, username: u, password: p}', /mqtts:/],
  ['one over TLS', 'source: {type: mqtt, url: mqtts://a:1, username: u, password: p}', null],
  [
    'a Kafka password in clear',
    'source: {type: kafka, brokers: [a:1], topics: [t], instance_id: one, sasl: {mechanism: plain, username: u, password: p}}',
    /source\.sasl\.password .* in clear/,
  ],
  ['one window is an alarm', `${KAFKA}\ndetect: {dwell: 1, clear: 1}`, /detect\.dwell 1/],
]

describe('what is risky', () => {
  for (const [what, yaml, risk] of RISKS)
    test(what, () => {
      const { risks } = explained(yaml)
      if (risk === null) return assert.deepEqual(risks, [])
      assert.equal(risks.length, 1, risks.join('\n'))
      assert.match(risks[0] ?? '', risk)
    })

  test('a model of another season, but not for a machine with a clock of its own', () => {
    const later = trainedTo + 91 * 86_400_000
    assert.match(explained(KAFKA, later).risks.join(), /as it was 91 days ago/)
    const rules = new URL('../../deploy/prometheus/examon-dec.rules.yml', import.meta.url)
    assert.ok(readFileSync(rules, 'utf8').includes(`> ${OLD_MODEL_DAYS} * 86400`))
    assert.deepEqual(explained(KAFKA, trainedTo + 89 * 86_400_000).risks, [])
    assert.doesNotMatch(explained('source: {type: simulator}', later).risks.join(), /days ago/)
  })
})

describe('what is needed', () => {
  test('memory and samples follow from the nodes and metrics of the model', () => {
    const [need = ''] = explained(KAFKA).needs
    assert.match(
      need,
      /^about \d+ MB of memory for the 2 nodes of the training, which send about \d+ samples\/s/,
    )
    assert.match(explained('source: {type: simulator, nodes: 980}').needs[0] ?? '', /for 980 simulated nodes/)
  })

  test('the figures are those of docs/sizing.md, and grow between and beyond', () => {
    assert.deepEqual(
      [100, 980, 9408].map((nodes) => Math.round(expectedMegabytes(nodes * 115))),
      [251, 373, 874],
    )
    let last = 0
    for (let series = 0; series < 3_000_000; series += 10_000) {
      const megabytes = expectedMegabytes(series)
      assert.ok(megabytes > last)
      last = megabytes
    }
  })
})

test('features of the model are named', () => {
  assert.match(
    explained(KAFKA).reads.join(),
    /336 features: avg, var, max, min of 84 metrics, in windows of 15m/,
  )
})
