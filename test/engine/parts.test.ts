import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import pino from 'pino'
import { loadRunConfig } from '../../src/config/load.ts'
import { openEnds } from '../../src/engine/parts.ts'
import { Telemetry } from '../../src/telemetry/telemetry.ts'

const folder = mkdtempSync(join(tmpdir(), 'examon-dec-parts-'))
after(() => rmSync(folder, { recursive: true }))

for (const [when, start] of [
  ['now', ''],
  ['at a time between two of its ticks', ', start: 2020-03-09T00:00:07Z'],
])
  test(`a simulated machine starts ${when}`, async () => {
    const file = join(folder, 'config.yaml')
    writeFileSync(
      file,
      [
        'model: model',
        `source: {type: simulator, nodes: 1, speed: max, days: 0.01${start}}`,
        'sinks: [{type: ndjson, flags: flags.ndjson, alarms: alarms.ndjson}]',
      ].join('\n'),
    )
    const telemetry = new Telemetry({ logger: pino({ level: 'silent' }), version: '1' })
    const { source } = await openEnds(loadRunConfig(file), telemetry)
    await source.start()
    let event = await source.poll(1000)
    while (event.kind !== 'records') event = await source.poll(1000)
    assert.notEqual(event.records.length, 0)
    await source.close()
  })
