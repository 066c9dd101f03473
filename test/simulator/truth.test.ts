import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { planFaults } from '../../src/simulator/faults.ts'
import { placeNodes } from '../../src/simulator/layout.ts'
import { readTruth, writeTruth } from '../../src/simulator/truth.ts'

let folder = ''
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'truth-'))
})
after(() => rm(folder, { recursive: true }))

const fromMs = Date.UTC(2026, 0, 5)
const toMs = fromMs + 5 * 86_400_000
const nodes = placeNodes(6)
const truth = {
  seed: 4,
  nodes: nodes.map((node) => node.name),
  fromMs,
  toMs,
  faults: planFaults({ nodes, seed: 4, fromMs, toMs, count: 10 }),
}

test('a truth file comes back as it was written, with times that people can read', async () => {
  const path = join(folder, 'truth.json')
  await writeTruth(path, truth)
  assert.deepEqual(await readTruth(path), truth)
  const json = JSON.parse(await readFile(path, 'utf8'))
  assert.equal(json.start, '2026-01-05T00:00:00.000Z')
  assert.match(json.faults[0].start, /^2026-01-0\dT\d\d:\d\d:\d0\.000Z$/)
})

test('what does not fit is named with its file and key', async () => {
  const path = join(folder, 'broken.json')
  await writeTruth(path, truth)
  const good = JSON.parse(await readFile(path, 'utf8'))
  const cases: [(json: typeof good) => void, RegExp][] = [
    [(json) => (json.version = 2), /broken\.json: version is 2, expected 1/],
    [(json) => delete json.nodes, /broken\.json: nodes is missing, expected a list/],
    [(json) => (json.faults[3].kind = 'fire'), /faults\[3\]\.kind is "fire", known: fan_failure, /],
    [(json) => (json.faults[0].start = 'soon'), /faults\[0\]\.start is "soon", expected an ISO 8601 time/],
    [(json) => (json.faults[0].end = json.faults[0].start), /faults\[0\]\.end is not after its start/],
    [(json) => (json.faults[1].nodes[0] = 7), /faults\[1\]\.nodes\[0\] is 7, expected a text/],
  ]
  for (const [spoil, message] of cases) {
    const json = structuredClone(good)
    spoil(json)
    await writeFile(path, JSON.stringify(json))
    await assert.rejects(readTruth(path), message)
  }
  await writeFile(path, '{"version": 1')
  await assert.rejects(readTruth(path), /broken\.json: cannot be read as JSON/)
  await assert.rejects(readTruth(join(folder, 'none.json')), /none\.json: .*no such file/)
})
