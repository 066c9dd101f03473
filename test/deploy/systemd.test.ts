import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'

const deployed = (name: string): string =>
  readFileSync(new URL(`../../deploy/systemd/${name}`, import.meta.url), 'utf8')
const unit = deployed('examon-dec.service')
const retrain = deployed('examon-dec-retrain.service')
const readme = readFileSync(new URL('../../deploy/README.md', import.meta.url), 'utf8')
const [, program = '', config = ''] = /^ExecStart=(\S+) run --config (\S+)$/m.exec(unit) ?? []

const folder = mkdtempSync(join(tmpdir(), 'examon-dec-unit-'))
after(() => rmSync(folder, { recursive: true }))
const installed = join(folder, 'examon-dec.service')
// systemd wants the program to be there; any other stands for it.
writeFileSync(installed, unit.replace(program, process.execPath))
const retrainer = join(folder, 'examon-dec-retrain.service')
writeFileSync(retrainer, retrain.replace(program, process.execPath))
const timer = join(folder, 'examon-dec-retrain.timer')
writeFileSync(timer, deployed('examon-dec-retrain.timer'))

const skip = spawnSync('systemd-analyze', ['--version']).error ? 'systemd-analyze is not installed' : false

test('systemd finds nothing to say about the units', { skip }, () => {
  // It ends with 0 on unknown directives too, so it is silence that counts.
  const { status, stdout, stderr } = spawnSync(
    'systemd-analyze',
    ['verify', '--man=no', installed, retrainer, timer],
    {
      encoding: 'utf8',
    },
  )
  assert.deepEqual({ status, stdout, stderr }, { status: 0, stdout: '', stderr: '' })
})

for (const [name, file] of Object.entries({ daemon: installed, retraining: retrainer }))
  test(`the ${name} is hardened: exposure of at most 2.0 of 10`, { skip }, () => {
    const args = ['security', '--offline=true', '--threshold=20', file]
    const { status, stdout } = spawnSync('systemd-analyze', args, { encoding: 'utf8' })
    assert.equal(status, 0, stdout)
  })

test('retraining runs the same program as the same user in the same folder, and only with options that there are', () => {
  const both = [unit, retrain]
  for (const key of ['User', 'Group', 'StateDirectory', 'WorkingDirectory']) {
    const [one, other] = both.map((text) => new RegExp(`^${key}=(.+)$`, 'm').exec(text)?.[1])
    assert.ok(one !== undefined && one === other, key)
  }
  const line = /^ExecStart=(\S+) bootstrap (.+)$/m.exec(retrain)
  assert.equal(line?.[1], program)
  const help = spawnSync(process.execPath, ['bin/examon-dec.js', 'bootstrap', '--help'], {
    encoding: 'utf8',
  }).stdout
  for (const option of line?.[2]?.match(/--\w+/g) ?? []) assert.ok(help.includes(option), option)
})

test('program and configuration are where the README puts them', () => {
  assert.ok(program.startsWith('/opt/examon-dec/') && config.startsWith('/etc/examon-dec/'))
  assert.ok(readme.includes(`sudo -u examon-dec ${program} bootstrap`))
  assert.ok(readme.includes(`check config ${config}`))
  assert.ok(readme.includes(`config/marconi100.yaml ${config}`))
})

test('it stops in time, restarts after a failure but not with a wrong configuration', () => {
  assert.match(unit, /^Restart=on-failure$/m)
  assert.match(unit, /^RestartPreventExitStatus=2$/m)
  assert.match(unit, /^TimeoutStopSec=15$/m)
})
