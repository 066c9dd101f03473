import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { Decoder } from '../../src/examon/decode.ts'
import { decoded } from '../support/decoded.ts'

const HEAD = 'org/cineca/cluster/marconi100'
const TAIL = 'plugin/ipmi_pub/chnl/data'
const T = 1658832080010

function run(decoder: Decoder, key: string | Buffer | null, value: string | Buffer | null): string[] {
  const bytes = (x: string | Buffer | null) => (typeof x === 'string' ? Buffer.from(x) : x)
  return decoded(decoder, { key: bytes(key), value: bytes(value), partition: 0, offset: 7 })
}

const NAGIOS = `${HEAD}/node/r206n05/plugin/nagios_pub/chnl/data/description/batchs::client::state`

const TABLE: [string, string | null, string | Buffer | null, string[]][] = [
  [
    'reference form',
    `${HEAD}/node/r206n05/${TAIL}/ambient`,
    '21.4;1658832080.010',
    [`r206n05 206 ambient 21.4 ${T}`],
  ],
  ['rack tag', `${HEAD}/node/x1/rack/7/${TAIL}/units/degreesC/ambient`, '1;1', ['x1 7 ambient 1 1000']],
  ['rack tag over name', `${HEAD}/node/r206n05/rack/7/${TAIL}/a`, '1;1', ['r206n05 7 a 1 1000']],
  ['no rack', `${HEAD}/node/login01/${TAIL}/a`, '1;1', ['login01 null a 1 1000']],
  ['tags in another order', `${TAIL}/${HEAD}/node/r206n05/a`, '1;1', ['r206n05 206 a 1 1000']],
  ['repeated tag', `node/a/${TAIL}/node/b/m`, '1;1', ['b null m 1 1000']],
  ['encoded', `node/n%201/${TAIL}/dev%2Fsda`, '1;1', ['n 1 null dev/sda 1 1000']],
  ['sync beat', `${HEAD}/node/n/plugin/pmu_pub/chnl/data`, 'CK', []],
  ['sync beat without key', null, 'CK', []],
  ['no key', null, '21.4;1', ['no_topic']],
  ['empty key', '', '21.4;1', ['no_topic']],
  ['no payload', `${HEAD}/node/n/${TAIL}/a`, null, ['no_value']],
  ['empty payload', `${HEAD}/node/n/${TAIL}/a`, '', ['no_value']],
  ['even', `${HEAD}/node/n/${TAIL}`, '1;1', ['bad_topic']],
  ['bare node key with a sample', 'r206n05', '1;1', ['bad_topic']],
  ['command', `${HEAD}/node/n/plugin/p/chnl/cmd/reset`, '1;1', ['not_data']],
  ['facility', `org/cineca/plugin/vertiv_pub/chnl/data/temp`, '1;1', ['no_node']],
  ['own output', `${HEAD}/node/n/plugin/examon-ai_pub/chnl/data/config/debug/gnn`, '0.5;1', ['own_output']],
  ['string value', `${HEAD}/node/n/plugin/ganglia_pub/chnl/data/os_name`, 'Linux;1', ['not_numeric']],
  ['drained', `${NAGIOS}/nagiosdrained/1/state/2/state`, '2;5.5', ['r206n05 206 muted 5500']],
  [
    'not drained',
    `${NAGIOS}/nagiosdrained/0/state/0/plugin_output`,
    'all fine; really;5.5',
    ['r206n05 206 back 5500'],
  ],
  ['drained, no time', `${NAGIOS}/nagiosdrained/1/state/2/state`, '2', ['bad_payload']],
  ['drained, odd flag', `${NAGIOS}/nagiosdrained/maybe/state`, '2;5', ['r206n05 206 state 2 5000']],
  [
    'JSON',
    'r206n05',
    `{"metric":"ambient","value":21.4,"timestamp":${T}}`,
    [`r206n05 206 ambient 21.4 ${T}`],
  ],
  ['JSON, spaces around', 'n', ` {"name":"a","value":1,"timestamp":5}\n`, ['n null a 1 5']],
  ['JSON, named node', 'k', `{"name":"a","value":1,"timestamp":5,"node":"n","rack":3}`, ['n 3 a 1 5']],
  [
    'JSON, tags',
    'org/x',
    `{"name":"a","value":1,"timestamp":"5","tags":{"node":"n","rack":"3","chnl":"data"}}`,
    ['n 3 a 1 5'],
  ],
  [
    'JSON, own',
    'n',
    `{"name":"a","value":1,"timestamp":5,"tags":{"plugin":"examon-ai_pub"}}`,
    ['own_output'],
  ],
  ['JSON, command', 'n', `{"name":"a","value":1,"timestamp":5,"tags":{"chnl":"cmd"}}`, ['not_data']],
  [
    'JSON list',
    'n',
    `[{"name":"a","value":1,"timestamp":5},{"name":"b","value":"2.5","timestamp":6}]`,
    ['n null a 1 5', 'n null b 2.5 6'],
  ],
  [
    'JSON map',
    'n',
    `{"timestamp":5,"metrics":{"a":1,"b":null,"c":"x","d":-2}}`,
    ['n null a 1 5', 'no_value', 'not_numeric', 'n null d -2 5'],
  ],
  [
    'JSON, hostile names',
    'n',
    `{"timestamp":5,"metrics":{"__proto__":1,"constructor":2}}`,
    ['n null __proto__ 1 5', 'n null constructor 2 5'],
  ],
  [
    'JSON, parts bad',
    'n',
    `[{"name":"a","value":1,"timestamp":5},7,{"value":1,"timestamp":5}]`,
    ['n null a 1 5', 'bad_payload', 'bad_payload'],
  ],
  ['JSON, empty list', 'n', '[]', []],
  ['JSON, broken', 'n', '{"name":}', ['bad_payload']],
  ['JSON, NaN', 'n', '{"name":"a","value":NaN,"timestamp":5}', ['bad_payload']],
  ['JSON, huge', 'n', '{"name":"a","value":1e999,"timestamp":5}', ['not_finite']],
  ['JSON, beyond squaring', 'n', '{"name":"a","value":1e200,"timestamp":5}', ['not_finite']],
  ['JSON, bool', 'n', '{"name":"a","value":true,"timestamp":5}', ['not_numeric']],
  ['JSON, no value', 'n', '{"name":"a","timestamp":5}', ['no_value']],
  ['JSON, no time', 'n', '{"name":"a","value":1}', ['bad_time']],
  ['JSON, negative time', 'n', '{"name":"a","value":1,"timestamp":-5}', ['bad_time']],
  ['JSON, no key', null, '{"name":"a","value":1,"timestamp":5}', ['no_node']],
  ['JSON under a topic', `${HEAD}/node/n/${TAIL}/a`, '{"name":"a","value":1,"timestamp":5}', ['no_node']],
]

for (const [name, key, value, expected] of TABLE) {
  test(`${name}: ${expected.join(', ') || 'nothing'}`, () => {
    const decoder = new Decoder()
    assert.deepEqual(run(decoder, key, value), expected, 'first sight')
    assert.deepEqual(run(decoder, key, value), expected, 'known')
  })
}

/** Bytes of live objects: what is only waiting for the collector does not count. */
function heapAfterCollection(): number {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
  return process.memoryUsage().heapUsed
}

test('one topic, one series; ids are dense; what differs in a tag differs', () => {
  const decoder = new Decoder()
  const core = (i: number) => `node/n/plugin/pmu_pub/chnl/data/core/${i}/aperf`
  for (let round = 0; round < 3; round++) for (let i = 0; i < 500; i++) run(decoder, core(i), `${i};1`)
  assert.equal(decoder.series.length, 500)
  assert.deepEqual(
    decoder.series.map((s) => s.id),
    Array.from({ length: 500 }, (_, i) => i),
  )
  run(decoder, 'n', '{"timestamp":5,"metrics":{"a":1}}')
  run(decoder, 'n', '{"timestamp":6,"metrics":{"a":1}}')
  assert.equal(decoder.series.length, 501)
})

test('unknown keys do not grow memory without limit', () => {
  const decoder = new Decoder({ maxSeries: 10 })
  for (let i = 0; i < 100; i++) run(decoder, `node/n${i}/${TAIL}/a`, '1;1')
  for (let i = 0; i < 100; i++) run(decoder, `n${i}`, '{"name":"a","value":1,"timestamp":5}')
  assert.equal(decoder.series.length, 10)
  assert.deepEqual(run(decoder, `node/n5/${TAIL}/a`, '2;1'), ['n5 null a 2 1000'], 'the known ones go on')
  assert.deepEqual(run(decoder, `node/n50/${TAIL}/a`, '2;1'), ['bad_topic'])
  assert.deepEqual(run(decoder, `node/${'n'.repeat(2000)}/${TAIL}/a`, '2;1'), ['bad_topic'])
  const many = new Decoder()
  const before = heapAfterCollection()
  for (let i = 0; i < 300_000; i++) run(many, `bad/topic/number/${i}`, '1;1')
  const grown = heapAfterCollection() - before
  assert.ok(grown < 40e6, `${grown} bytes for keys that mean nothing`)
  assert.equal(many.series.length, 0)
})

test('samples of any number of nodes and metrics reach their own series', () => {
  const token = fc.stringMatching(/^[a-zA-Z0-9_.:-]{1,20}$/)
  const samples = fc.array(fc.record({ node: token, metric: token, value: fc.integer() }), { maxLength: 200 })
  const decoder = new Decoder()
  fc.assert(
    fc.property(samples, (list) => {
      for (const { node, metric, value } of list) {
        const [line = ''] = run(decoder, `node/${node}/${TAIL}/${metric}`, `${value};1`)
        assert.deepEqual(line.split(' ').toSpliced(1, 1), [node, metric, String(value), '1000'])
      }
    }),
  )
})

test('no record makes it throw', () => {
  const decoder = new Decoder()
  const bytes = fc.option(fc.uint8Array({ maxLength: 60 }).map((a) => Buffer.from(a)))
  const json = fc.json().map((text) => Buffer.from(text))
  fc.assert(
    fc.property(bytes, fc.oneof(bytes, json), (key, value) => void run(decoder, key, value)),
    { numRuns: 2000 },
  )
})
