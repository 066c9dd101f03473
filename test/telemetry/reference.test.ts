/** The metrics page against its reference: nothing without an entry, no label without a bound. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import pino from 'pino'
import { createMetrics } from '../../src/telemetry/metrics.ts'
import { EXPLAINED_LABELS } from '../../src/telemetry/reference.ts'
import { Telemetry } from '../../src/telemetry/telemetry.ts'
import { flagOf, LAST_END_MS } from '../status/machine.ts'

const reference = readFileSync(new URL('../../docs/metrics.md', import.meta.url), 'utf8')
const NODES = 980
/** As docs/metrics.md says. */
const SERIES_A_NODE = 4
const MOST_OTHERS = 300

test('every label says which values it has', () => {
  for (const metric of createMetrics('x').registry.getMetricsAsArray()) {
    const { name, labelNames } = metric as unknown as { name: string; labelNames: string[] }
    if (!name.startsWith('examon_dec_')) continue
    for (const label of labelNames) assert.ok(EXPLAINED_LABELS.has(label), `${label} of ${name}`)
  }
})

test('every metric on the page stands in the reference, and a machine has no more series than it says', async () => {
  const telemetry = new Telemetry({ logger: pino({ level: 'silent' }), version: 'x' })
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < NODES; i++) {
      const state = i % 2 === round % 2 ? 'normal' : 'anomalous'
      telemetry.flag(flagOf(`r2${i}n01`, LAST_END_MS + round * 900_000, 0.5 + round, state))
    }
  }
  const lines = (await telemetry.scrape()).body
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
  const names = lines.map((line) => line.replace(/[{ ].*$/, ''))
  for (const name of new Set(names)) {
    const base = name.replace(/_(bucket|sum|count)$/, '')
    const isOwn = name.startsWith('examon_dec_')
    assert.ok(!isOwn || reference.includes(`\`${name}\``) || reference.includes(`\`${base}\``), name)
    assert.ok(isOwn || /^(process|nodejs)_/.test(name), name)
  }
  assert.ok(lines.length > NODES * SERIES_A_NODE, `${lines.length} series`)
  assert.ok(lines.length <= NODES * SERIES_A_NODE + MOST_OTHERS, `${lines.length} series`)
})
