import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'

const unit = readFileSync(new URL('../../deploy/systemd/examon-dec.service', import.meta.url), 'utf8')
const readme = readFileSync(new URL('../../deploy/README.md', import.meta.url), 'utf8')
const [, program = '', config = ''] = /^ExecStart=(\S+) run --config (\S+)$/m.exec(unit) ?? []

const folder = mkdtempSync(join(tmpdir(), 'examon-dec-unit-'))
after(() => rmSync(folder, { recursive: true }))
const installed = join(folder, 'examon-dec.service')
// systemd wants the program to be there; any other stands for it.
writeFileSync(installed, unit.replace(program, process.execPath))

const skip = spawnSync('systemd-analyze', ['--version']).error ? 'systemd-analyze is not installed' : false

test('systemd finds nothing to say about the unit', { skip }, () => {
  // It ends with 0 on unknown directives too, so it is silence that counts.
  const { status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', installed], {
    encoding: 'utf8',
  })
  assert.deepEqual({ status, stdout, stderr }, { status: 0, stdout: '', stderr: '' })
})

test('the unit is hardened: exposure of at most 2.0 of 10', { skip }, () => {
  const args = ['security', '--offline=true', '--threshold=20', installed]
  const { status, stdout } = spawnSync('systemd-analyze', args, { encoding: 'utf8' })
  assert.equal(status, 0, stdout)
})

test('program and configuration are where the README puts them', () => {
  assert.ok(program.startsWith('/opt/examon-dec/') && config.startsWith('/etc/examon-dec/'))
  assert.ok(readme.includes(`sudo ${program} bootstrap`))
  assert.ok(readme.includes(`check config ${config}`))
  assert.ok(readme.includes(`config/marconi100.yaml ${config}`))
})

test('it stops in time, restarts after a failure but not with a wrong configuration', () => {
  assert.match(unit, /^Restart=on-failure$/m)
  assert.match(unit, /^RestartPreventExitStatus=2$/m)
  assert.match(unit, /^TimeoutStopSec=15$/m)
})
