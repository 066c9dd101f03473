/** `npm run test:walk`: README and the pages on evaluation and the API, followed as written, from history to live flags. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { startBroker } from '../support/broker.ts'
import { documented } from '../support/documented.ts'
import { until, withAdmin } from '../support/kafka.ts'
import { startMosquitto } from '../support/mosquitto.ts'
import { cloneInto, Shell, signal } from '../support/walk.ts'

const PAGE = 'http://localhost:9464/'
/** Where configurations of the repository listen. */
const ready = async (): Promise<boolean> =>
  (await fetch(new URL('readyz', PAGE)).catch(() => null))?.status === 200
const series = async (name: string): Promise<number> => {
  const text = await (await fetch(new URL('metrics', PAGE))).text()
  return Number(new RegExp(`^${name}(?:{[^}]*})? (\\S+)$`, 'm').exec(text)?.[1] ?? 0)
}

describe('first use, as README and pages tell it', { timeout: 600_000 }, async () => {
  const broker = await startBroker()
  const mosquitto = await startMosquitto()
  const folder = mkdtempSync(join(tmpdir(), 'examon-dec-walk-'))
  const clone = join(folder, 'examon-dec')
  const shell = new Shell(clone, {
    'localhost:9092': 'skip' in broker ? '' : broker.bootstrap,
    'localhost:1883': 'skip' in mosquitto ? '' : mosquitto.url.replace('mqtt://', ''),
    // Where pages speak of a model of one's own, this reader has that of the README.
    'models/mine': 'models/marconi100',
  })
  before(async () => {
    assert.equal(await ready(), false, 'a daemon runs here already, on the port of the configurations')
    cloneInto(clone)
    if (!('skip' in broker)) {
      await withAdmin(broker.bootstrap, (admin) => admin.createTopics({ topics: ['examon'], partitions: 2 }))
    }
  })
  after(async () => {
    shell.close()
    if (!('skip' in broker)) await broker.stop()
    if (!('skip' in mosquitto)) await mosquitto.stop()
    rmSync(folder, { recursive: true })
  })

  test('history, model', async () => {
    const commands = documented('README.md', 'First use on your own data').map((one) => one.command)
    assert.equal(commands.length, 3)
    for (const command of commands) await shell.run(command)
  })

  /** Runs the section's commands; the last but `also` stays up until its page is ready and `use` is done. */
  async function live(heading: string, use: (commands: string[]) => Promise<void>): Promise<void> {
    const commands = documented('README.md', heading).map((one) => one.command)
    const at = commands.findIndex((command) => command.startsWith('npx examon-dec run'))
    assert.notEqual(at, -1)
    for (const command of commands.slice(0, at)) {
      const printed = await shell.run(command)
      if (command.includes('check config')) assert.match(printed, /: valid\nReads\n/)
    }
    const { child, outcome, output } = shell.start(commands[at] ?? '')
    await until(() => {
      if (child.exitCode !== null) throw new Error(output())
      return ready()
    }, 'the daemon is ready')
    await use(commands.slice(at + 1))
    // As Ctrl-C does it: npx is told too, so the status is its own.
    signal(child, 'SIGINT')
    await outcome
    assert.match(output(), /"event":"stopped"/)
  }

  test('from Kafka: flags of a machine that is played on, and its API', {
    skip: 'skip' in broker ? broker.skip : false,
  }, async () => {
    await live('From Kafka', async (commands) => {
      assert.equal(commands.length, 1)
      const player = shell.start(commands[0] ?? '')
      await until(async () => (await series('examon_dec_flags_total')) >= 20, 'a flag of each node')
      for (const { command } of documented('docs/api.md')) {
        if (!command.includes('/api/events')) await shell.run(command)
        else {
          // It never ends by itself.
          const { child, output } = shell.start(command)
          await until(() => /^data: /m.test(output()), 'events come')
          signal(child, 'SIGTERM')
        }
      }
      signal(player.child, 'SIGTERM')
      await player.outcome
    })
  })

  test('from MQTT', { skip: 'skip' in mosquitto ? mosquitto.skip : false }, async () => {
    await live('From MQTT', async (commands) => {
      assert.deepEqual(commands, [])
    })
  })

  test('evaluation, as README and page show it', async () => {
    await shell.run('npx examon-dec simulate --nodes 4 --days 2 --seed 2 --out labelled')
    const commands = [...documented('README.md', 'Then'), ...documented('docs/evaluation.md')]
    for (const { command } of commands) await shell.run(command)
  })
})
