import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'

const SCRIPT = `
import { createNetwork, initialiseLayers } from './src/model/network.ts'
import { createRandom } from './src/model/random.ts'
import { Trainer } from './src/model/trainer.ts'
const network = createNetwork(4, [3], 2)
const layers = initialiseLayers(network, 'variance-scaling', createRandom(1))
const trainer = await Trainer.create(network, layers, { kind: 'adam' })
await trainer.step(new Float32Array(8).fill(0.5), 2, 0.01)
await trainer.release()
`

test('the runtime keeps no identifier and no queue of reports to its vendor', () => {
  const root = join(import.meta.dirname, '../..')
  const home = mkdtempSync(join(tmpdir(), 'examon-dec-home-'))
  try {
    const { ORT_DISABLE_TELEMETRY: _, ...environment } = process.env
    // Where it would leave them: the user's cache and the temporary folder.
    const env = { ...environment, HOME: home, XDG_CACHE_HOME: home, TMPDIR: home }
    execFileSync(process.execPath, ['--input-type=module-typescript', '--eval', SCRIPT], { cwd: root, env })
    assert.deepEqual(readdirSync(home), [])
  } finally {
    rmSync(home, { recursive: true })
  }
})
