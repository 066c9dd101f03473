/** docs/api.md names each field of the real answers. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import pino from 'pino'
import { startHttp } from '../src/telemetry/http.ts'
import { Telemetry } from '../src/telemetry/telemetry.ts'
import { alarmOf, flagOf, LAST_END_MS } from './status/machine.ts'

const page = readFileSync(join(import.meta.dirname, '../docs/api.md'), 'utf8')
/** Objects that are records of the sinks or whose keys are values. */
const ELSEWHERE = new Set(['alarms', 'drops'])

test('docs/api.md names each field of the answers, and no other', async () => {
  const telemetry = new Telemetry({ logger: pino({ level: 'silent' }), version: '1' })
  telemetry.modelLoaded({
    version: 'v',
    path: 'models/x',
    trainedToMs: LAST_END_MS,
    nodes: 1,
    metrics: 1,
    features: 4,
    centres: 2,
  })
  const flag = flagOf('r1n1', LAST_END_MS, 2, 'anomalous')
  telemetry.flag(flag)
  telemetry.alarm(alarmOf(flag, 'normal'))
  const http = await startHttp({ host: '127.0.0.1', port: 0, telemetry })
  const fields = new Set<string>()
  for (const path of ['api/status', 'api/nodes/r1n1']) {
    collect(await (await fetch(new URL(path, http.url))).json(), fields)
  }
  await http.close()
  const named = new Set([...page.matchAll(/`([a-z_]+)`/g)].map(([, name = '']) => name))
  for (const field of fields) assert.ok(named.has(field), `${field} is not in docs/api.md`)

  const [, tables = ''] = page.split('## `/api/status`')
  for (const [, first = ''] of tables.matchAll(/^\| (`[^|]+) \|/gm)) {
    for (const [, name = ''] of first.matchAll(/`([a-z_]+)`/g))
      assert.ok(fields.has(name), `no field ${name}`)
  }
})

function collect(value: unknown, into: Set<string>): void {
  if (Array.isArray(value)) for (const item of value) collect(item, into)
  else if (typeof value === 'object' && value !== null) {
    for (const [key, inner] of Object.entries(value)) {
      into.add(key)
      if (!ELSEWHERE.has(key)) collect(inner, into)
    }
  }
}
