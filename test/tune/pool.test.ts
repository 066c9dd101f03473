import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { test } from 'node:test'
import { type Running, runJobs } from '../../src/tune/pool.ts'

/** A process that ends when its standard input does, and what started it all. */
interface Job {
  name: string
  expected: number
  resident: number
}

function harness() {
  const alive = new Map<string, () => void>()
  const started: string[] = []
  const start = ({ name, resident }: Job): Running<string> => {
    const child = spawn(process.execPath, ['-e', 'process.stdin.resume()'], {
      stdio: ['pipe', 'ignore', 'inherit'],
    })
    started.push(name)
    alive.set(name, () => child.stdin.end())
    const done = new Promise<string>((resolve) => {
      child.on('close', (_, signal) => {
        alive.delete(name)
        resolve(`${name} ${signal ?? 'ended'}`)
      })
    })
    return { resident: () => resident, done, stop: () => child.kill('SIGKILL') }
  }
  /** Waits until the pool has done all it can without an end of a process. */
  const settled = () => new Promise((resolve) => setImmediate(resolve))
  return { alive, started, start, settled }
}

const job = (name: string, expected: number, resident = 0): Job => ({ name, expected, resident })

test('starts in order while both limits allow, and gives results in order', async () => {
  const { alive, started, start, settled } = harness()
  const jobs = [job('a', 40), job('b', 50), job('c', 20), job('d', 200)]
  const all = runJobs(jobs, { parallel: 3, memory: 100 }, ({ expected }) => expected, start)
  await settled()
  assert.deepEqual(started, ['a', 'b'], 'c would take 110')
  alive.get('b')?.()
  await until(() => started.includes('c'))
  await settled()
  assert.deepEqual(started, ['a', 'b', 'c'], 'd alone is more than the limit, and waits for the others')
  alive.get('a')?.()
  alive.get('c')?.()
  await until(() => started.includes('d'))
  assert.deepEqual([...alive.keys()], ['d'])
  alive.get('d')?.()
  assert.deepEqual(await all, ['a ended', 'b ended', 'c ended', 'd ended'])
})

test('a process that takes more than was expected holds the next one back', async () => {
  const { alive, started, start, settled } = harness()
  const jobs = [job('greedy', 10, 95), job('next', 10)]
  const all = runJobs(jobs, { parallel: 2, memory: 100 }, ({ expected }) => expected, start)
  await settled()
  assert.deepEqual(started, ['greedy'])
  alive.get('greedy')?.()
  await until(() => started.includes('next'))
  alive.get('next')?.()
  await all
})

test('an abort stops the processes, and no other is started', async () => {
  const { alive, started, start, settled } = harness()
  const controller = new AbortController()
  const limits = { parallel: 2, memory: 100 }
  const all = runJobs([job('a', 1), job('b', 1), job('c', 1)], limits, () => 1, start, controller.signal)
  await settled()
  controller.abort()
  await assert.rejects(all, { name: 'AbortError' })
  assert.deepEqual([started, alive.size], [['a', 'b'], 0])
})

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5))
}
