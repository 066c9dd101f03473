import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
const RUN = `import { main } from ${JSON.stringify(MAIN)}; process.exitCode = await main(process.argv.slice(1))`
const run = promisify(execFile)

let folder = ''
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'simulate-'))
})
after(() => rm(folder, { recursive: true }))

function simulate(...args: string[]): Promise<{ stdout: string; stderr: string }> {
  return run(process.execPath, ['--input-type=module', '--eval', RUN, 'simulate', ...args])
}

test('the same command writes the same bytes, and says what it wrote', async () => {
  const args = ['--nodes', '2', '--days', '0.25', '--seed', '3', '--layout', 'windows', '--json']
  const made = await simulate(...args, '--out', join(folder, 'a'))
  await simulate(...args, '--out', join(folder, 'b'))
  const report = JSON.parse(made.stdout)
  assert.equal(report.files.length, 2)
  assert.equal(report.start, '2020-03-09T00:00:00.000Z')
  assert.equal(report.end, '2020-03-09T06:00:00.000Z')
  for (const file of ['r205n01.parquet', 'r205n02.parquet', 'truth.json']) {
    assert.deepEqual(await readFile(join(folder, 'a', file)), await readFile(join(folder, 'b', file)))
  }
})

test('messages come as topic, tab, payload', async () => {
  const { stdout } = await simulate('--nodes', '2', '--days', '0.002', '--to', 'stdout', '--speed', 'max')
  const lines = stdout.trimEnd().split('\n')
  assert.ok(lines.length > 1500)
  assert.ok(lines.every((line) => /^org\/\S+\/chnl\/data\/\S+\t[^;\t]+;\d+\.\d{3}$/.test(line)))
})

test('wrong use ends with 2 and names the option', async () => {
  const fails = async (message: RegExp, ...args: string[]): Promise<void> => {
    await assert.rejects(simulate(...args), (error: Error & { code?: number; stderr?: string }) => {
      assert.equal(error.code, 2)
      assert.match(error.stderr ?? '', message)
      return true
    })
  }
  await fails(/needs --out DIR for a history, or --to stdout or kafka/)
  await fails(/--to kafka needs --brokers/, '--to', 'kafka')
  await fails(/'--nodes <n>' argument 'many' is invalid\. Expected a whole number/, '--nodes', 'many')
  await fails(/'--start <time>' argument 'now' is invalid/, '--start', 'now')
  await fails(
    /--faults 50: no room for 50 faults/,
    '--nodes',
    '1',
    '--faults',
    '50',
    '--out',
    join(folder, 'c'),
  )
  await fails(/is not empty/, '--out', folder)
})
