import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { FileCheckpoint } from '../../src/engine/file-checkpoint.ts'

const folder = mkdtempSync(join(tmpdir(), 'examon-dec-state-'))
after(() => rmSync(folder, { recursive: true }))

test('states come back, the newest of each node, and nothing else is left in the folder', async () => {
  const file = join(folder, 'new', 'state.json')
  const first = await FileCheckpoint.open(file)
  assert.equal((await first.restore()).size, 0)
  const saves = Array.from({ length: 20 }, (_, i) => first.save(new Map([[`n${i % 3}`, { i }]])))
  await Promise.all(saves)
  await first.close()
  const second = await FileCheckpoint.open(file)
  assert.deepEqual([...(await second.restore())].toSorted(), [
    ['n0', { i: 18 }],
    ['n1', { i: 19 }],
    ['n2', { i: 17 }],
  ])
  assert.deepEqual(readdirSync(join(folder, 'new')), ['state.json'])
})

test('hostile names are names', async () => {
  const file = join(folder, 'names.json')
  const names = ['__proto__', 'constructor', '', 'a"b']
  const checkpoint = await FileCheckpoint.open(file)
  await checkpoint.save(new Map(names.map((name) => [name, { name }])))
  const again = await (await FileCheckpoint.open(file)).restore()
  assert.deepEqual(new Set(again.keys()), new Set(names))
})

test('a damaged file is named with what to do, and left as it is', async () => {
  const cases: [string, RegExp][] = [
    ['{"format":1,"nodes":{"n', /state file .*: no JSON \(.*\); delete the file to start without state$/],
    ['{"format":2,"nodes":{}}', /not of format 1; delete/],
    ['null', /not of format 1; delete/],
    ['[]', /not of format 1; delete/],
  ]
  for (const [content, message] of cases) {
    const file = join(folder, 'damaged.json')
    writeFileSync(file, content)
    await assert.rejects(FileCheckpoint.open(file), message)
  }
  const blocked = join(folder, 'file')
  writeFileSync(blocked, '')
  await assert.rejects(FileCheckpoint.open(join(blocked, 'state.json')), /file/)
})
