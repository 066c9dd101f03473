import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { rackOfNode } from '../../src/examon/node-name.ts'
import { decodeToken, encodeToken, formatTopic, parseTopic } from '../../src/examon/topic.ts'

/** Topic, its tags, its metric. */
const GOOD: [string, Record<string, string>, string][] = [
  [
    'org/cineca/cluster/marconi100/node/r255n18/plugin/ipmi_pub/chnl/data/p0_power',
    { org: 'cineca', cluster: 'marconi100', node: 'r255n18', plugin: 'ipmi_pub', chnl: 'data' },
    'p0_power',
  ],
  [
    'org/testorg/cluster/testcluster/node/testnode00/plugin/pmu_pub/chnl/data/core/23/aperf',
    {
      org: 'testorg',
      cluster: 'testcluster',
      node: 'testnode00',
      plugin: 'pmu_pub',
      chnl: 'data',
      core: '23',
    },
    'aperf',
  ],
  ['plugin/p/chnl/data/m', { plugin: 'p', chnl: 'data' }, 'm'],
  ['chnl/data/node/n/plugin/p/m', { chnl: 'data', node: 'n', plugin: 'p' }, 'm'],
  ['node/a/node/b/plugin/p/chnl/data/m', { node: 'b', plugin: 'p', chnl: 'data' }, 'm'],
  [
    'plugin/p/chnl/data/dev/%2Fdev%2Fsda%231/used%20%2B',
    { plugin: 'p', chnl: 'data', dev: '/dev/sda#1' },
    'used +',
  ],
  ['plugin/p/chnl/data/load/100%/%zz', { plugin: 'p', chnl: 'data', load: '100%' }, '%zz'],
  ['plugin/p/chnl/data/temp%C3%A9rature', { plugin: 'p', chnl: 'data' }, 'température'],
]

for (const [topic, tags, metric] of GOOD) {
  test(`topic ${topic}`, () => {
    const parsed = parseTopic(topic)
    assert.ok(typeof parsed !== 'string', String(parsed))
    assert.deepEqual(Object.fromEntries(parsed.tags), tags)
    assert.equal(parsed.metric, metric)
  })
}

const BAD: [string, RegExp][] = [
  ['', /empty level/],
  ['ambient', /no plugin tag/],
  ['org/cineca/plugin/p/chnl/data', /6 levels/],
  ['/org/cineca/plugin/p/chnl/data/m', /8 levels/],
  ['org/cineca/plugin/p/chnl/data/', /empty level/],
  ['org//plugin/p/chnl/data/m', /empty level/],
  ['/cineca/plugin/p/chnl/data/m', /empty level/],
  ['org/cineca/chnl/data/m', /no plugin tag/],
  ['org/cineca/plugin/p/root/data/m', /no chnl tag/],
  ['org/plugin/x/chnl/m', /no plugin tag/],
]

for (const [topic, reason] of BAD) {
  test(`no topic: ${JSON.stringify(topic)}`, () => {
    assert.match(String(parseTopic(topic)), reason)
  })
}

test('what is formatted is parsed back, whatever the tokens hold', () => {
  const token = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 })
  const tags = fc.array(fc.tuple(token, token), { maxLength: 5 })
  fc.assert(
    fc.property(tags, token, (others, metric) => {
      const all = new Map([...others, ['plugin', 'ipmi_pub'], ['chnl', 'data']] as [string, string][])
      const topic = formatTopic(all, metric)
      assert.doesNotMatch(topic, /[ #+]/)
      const parsed = parseTopic(topic)
      assert.ok(typeof parsed !== 'string')
      assert.deepEqual([...parsed.tags], [...all])
      assert.equal(parsed.metric, metric)
    }),
  )
})

test('tokens are encoded as ExaMon does it, and decoding undoes it', () => {
  assert.equal(encodeToken('/dev/sda #1+2'), '%2Fdev%2Fsda%20%231%2B2')
  assert.equal(decodeToken('%ff'), '\ufffd')
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => assert.equal(decodeToken(encodeToken(text)), text)),
  )
})

test('an empty tag, value or metric can not be formatted', () => {
  assert.throws(() => formatTopic([['plugin', '']], 'm'), /empty level/)
  assert.throws(() => formatTopic([['plugin', 'p']], ''), /empty level/)
})

test('the rack is in the names of compute nodes, and in no others', () => {
  const names: [string, string | null][] = [
    ['r206n05', '206'],
    ['r256n18.m100.example.org', '256'],
    ['r206n12s01', '206'],
    ['login01', null],
    ['r206', null],
    ['xr206n05', null],
    ['r206n05x', null],
    ['', null],
  ]
  for (const [name, rack] of names) assert.equal(rackOfNode(name), rack, name)
})
