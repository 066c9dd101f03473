/** A running daemon takes up what is good, and goes on with what it has where the new one is bad. */
import assert from 'node:assert/strict'
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { stringify } from 'yaml'
import type { FlagRecord } from '../../src/detect/records.ts'
import { openBundle } from '../../src/model/bundle.ts'
import { until } from '../support/kafka.ts'
import { startDaemon } from '../support/program.ts'
import { REFERENCE_BUNDLE } from '../support/reference.ts'

const folder = mkdtempSync(join(tmpdir(), 'examon-dec-reload-'))
after(() => rmSync(folder, { recursive: true }))

const model = join(folder, 'model')
const flagsFile = join(folder, 'flags.ndjson')
const file = join(folder, 'daemon.yaml')
const config = {
  model,
  source: { type: 'simulator', nodes: 3, seed: 4, start: '2020-03-11T00:00:00Z', speed: 1200, faults: false },
  sinks: [{ type: 'ndjson', flags: flagsFile, alarms: join(folder, 'alarms.ndjson') }],
  http: { port: 0, token: 'geheim' },
}

interface Manifest {
  calibration: { threshold: number }
  schema: { lengthSeconds: number; everySeconds: number }
}

/** Puts a bundle in place of another one as `bootstrap` does; its version. */
function place(change: (manifest: Manifest) => void): string {
  const beside = join(folder, 'beside')
  cpSync(REFERENCE_BUNDLE, beside, { recursive: true })
  const path = join(beside, 'manifest.json')
  const manifest = JSON.parse(readFileSync(path, 'utf8')) as Manifest
  change(manifest)
  writeFileSync(path, JSON.stringify(manifest))
  const { version } = openBundle(beside)
  if (existsSync(model)) renameSync(model, join(folder, `old-${version}`))
  renameSync(beside, model)
  return version
}

function flags(): FlagRecord[] {
  if (!existsSync(flagsFile)) return []
  return readFileSync(flagsFile, 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as FlagRecord)
}

test('a model or settings that change are taken up; bad ones are refused, and no window is lost or doubled', async () => {
  const first = place(() => {})
  const daemon = await startDaemon(file, config)
  const metric = async (name: string) => (await daemon.metrics()).get(`examon_dec_${name}`) ?? Number.NaN
  const post = (token: string) =>
    daemon.get('/-/reload', { method: 'POST', headers: { authorization: `Bearer ${token}` } })
  const failures = async (count: number, reason: RegExp) => {
    await until(async () => (await metric('reloads_total{outcome="failed"}')) === count, `refusal ${count}`)
    assert.match(
      daemon
        .log()
        .split('\n')
        .findLast((line) => line.includes('"reload_failed"')) ?? '',
      reason,
    )
    assert.equal(await metric('last_reload_ok'), 0)
  }
  const flagsOf = (version: string) => flags().filter((flag) => flag.model === version)
  await until(() => flagsOf(first).length >= 3, 'flags of the first model')

  // By content, with no signal.
  const second = place(({ calibration }) => {
    calibration.threshold *= 1.5
  })
  assert.notEqual(second, first)
  await until(() => flagsOf(second).length >= 3, 'flags of the second model')
  assert.equal(await metric('reloads_total{outcome="ok"}'), 1)

  // A network cut short, another schema, a broken configuration, a key that needs a restart.
  truncateSync(join(model, 'model.onnx'), 1000)
  process.kill(daemon.pid, 'SIGHUP')
  await failures(1, /model\.onnx is truncated or changed/)
  place(({ schema }) => {
    schema.lengthSeconds = 1800
    schema.everySeconds = 1800
  })
  process.kill(daemon.pid, 'SIGHUP')
  await failures(2, /other windows, metrics or features, which needs a restart/)
  writeFileSync(file, 'model: [')
  process.kill(daemon.pid, 'SIGHUP')
  await failures(3, /daemon\.yaml:1/)
  writeFileSync(file, stringify({ ...config, http: { ...config.http, port: 1 } }))
  assert.equal((await post('wrong')).status, 401)
  const refused = await post('geheim')
  assert.equal(refused.status, 409)
  assert.match(refused.body, /http changed, which needs a restart/)
  await failures(4, /http changed, which needs a restart/)
  const before = flagsOf(second).length
  await until(() => flagsOf(second).length > before, 'the second model goes on')

  const third = place(({ calibration }) => {
    calibration.threshold *= 2
  })
  writeFileSync(file, stringify({ ...config, detect: { top: 1 } }))
  process.kill(daemon.pid, 'SIGHUP')
  await until(() => flagsOf(third).length >= 3, 'flags of the third model')
  assert.equal(await metric('last_reload_ok'), 1)
  assert.ok(
    flagsOf(third).every(({ top }) => top.length <= 1),
    'with the new settings',
  )
  const { code } = await daemon.stop('SIGTERM')
  assert.equal(code, 0)

  const byNode = Map.groupBy(flags(), ({ node }) => node)
  assert.equal(byNode.size, 3)
  for (const [node, of] of byNode) {
    const ends = of.map(({ window_end }) => Date.parse(window_end))
    assert.deepEqual(
      ends,
      ends.map((_, i) => (ends[0] ?? 0) + i * 900_000),
      `every window of ${node} once, in order`,
    )
    assert.ok(
      of.slice(1).every(({ score }) => score !== null),
      'windows that were open at the change are whole',
    )
  }
})
