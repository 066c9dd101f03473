/** The completions, asked of the shell itself. */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { VERBS } from '../../src/cli/verbs.ts'

const program = new URL('../../bin/examon-dec.js', import.meta.url).pathname
const script = (shell: string): string =>
  execFileSync(process.execPath, [program, 'completion', shell], { encoding: 'utf8' })
const bash = script('bash')
const folder = mkdtempSync(join(tmpdir(), 'examon-dec-completion-'))
after(() => rmSync(folder, { recursive: true }))

/** What bash offers for the last word of a line. */
function offered(...line: string[]): string[] {
  const words = ['examon-dec', ...line].map((word) => `'${word}'`).join(' ')
  const ask = `${bash}\nCOMP_WORDS=(${words})\nCOMP_CWORD=${line.length}\n_examon_dec\nprintf '%s\\n' "\${COMPREPLY[@]}"`
  return execFileSync('bash', ['--norc', '-c', ask], { encoding: 'utf8' }).split('\n').filter(Boolean).sort()
}

test('verbs, verbs of verbs, options, choices', () => {
  assert.deepEqual(offered(''), [...Object.keys(VERBS), '--help', '--version'].sort())
  assert.deepEqual(offered('bo'), ['bootstrap'])
  assert.deepEqual(offered('check', 'c'), ['config'])
  assert.deepEqual(offered('check', 'config', '--'), ['--help', '--json'])
  assert.deepEqual(offered('simulate', '--to', ''), ['kafka', 'stdout'])
  assert.deepEqual(offered('simulate', '--to', 'kafka', '--ke'), ['--key'])
  assert.deepEqual(offered('completion', ''), ['--help', 'bash', 'fish', 'zsh'])
})

test('after an option that takes a file, files complete', () => {
  assert.deepEqual(offered('run', '--config', ''), [])
})

for (const shell of ['zsh', 'fish']) {
  const skip = spawnSync(shell, ['--version']).error ? `${shell} is not installed` : false
  test(`${shell} reads its script`, { skip }, () => {
    const file = join(folder, `completion.${shell}`)
    writeFileSync(file, script(shell))
    const { status, stderr } = spawnSync(shell, ['-n', file], { encoding: 'utf8' })
    assert.deepEqual([status, stderr], [0, ''])
  })
}

test('a shell that is none is refused with those there are', () => {
  const { status, stderr } = spawnSync(process.execPath, [program, 'completion', 'tcsh'], {
    encoding: 'utf8',
  })
  assert.equal(status, 2)
  assert.match(stderr, /Allowed choices are bash, zsh, fish/)
})
