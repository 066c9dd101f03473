import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'

// The start script in a package of its own that asks for a Node that does not exist yet.
const root = mkdtempSync(join(tmpdir(), 'examon-dec-start-'))
after(() => rmSync(root, { recursive: true }))
const script = join(root, 'bin', 'examon-dec.js')
cpSync(new URL('../../bin/examon-dec.js', import.meta.url).pathname, script)
writeFileSync(join(root, 'package.json'), '{"type": "module", "engines": {"node": ">=9999.1.0"}}')

test('a Node that is too old is told so', () => {
  const { status, stderr } = spawnSync(process.execPath, [script, 'run'], { encoding: 'utf8' })
  assert.equal(stderr, `examon-dec needs Node 9999.1.0 or newer; this is ${process.versions.node}\n`)
  assert.equal(status, 2)
})

/** Stands in the place of the newer Node that a clone brings. */
function bundle(shellScript: string): void {
  const folder = join(root, 'node_modules', 'node', 'bin')
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'node'), `#!/bin/sh\n${shellScript}\n`)
  chmodSync(join(folder, 'node'), 0o755)
}

test('the newer Node of a clone takes over, with arguments and exit status', () => {
  bundle('shift; echo "$@"; exit 7')
  const { status, stdout } = spawnSync(process.execPath, [script, 'run', '--config', 'a b'], {
    encoding: 'utf8',
  })
  assert.equal(stdout, 'run --config a b\n')
  assert.equal(status, 7)
})

test('signals reach it, and its end by a signal is passed on', async () => {
  bundle('trap "echo stopped; exit 3" TERM; echo ready; for i in $(seq 200); do sleep 0.05; done')
  const stopped = await stopAfterReady('SIGTERM')
  assert.deepEqual(stopped, { code: 3, signal: null, output: 'ready\nstopped\n' })
  bundle('echo ready; exec sleep 10')
  const killed = await stopAfterReady('SIGTERM')
  assert.deepEqual(killed, { code: null, signal: 'SIGTERM', output: 'ready\n' })
})

function stopAfterReady(
  signal: NodeJS.Signals,
): Promise<{ code: number | null; signal: string | null; output: string }> {
  const child = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.on('data', (data) => {
    output += data
    if (output === 'ready\n') child.kill(signal)
  })
  return new Promise((resolve) => child.on('close', (code, by) => resolve({ code, signal: by, output })))
}
