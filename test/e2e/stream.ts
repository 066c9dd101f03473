/** A small machine's stream for the daemon with the reference model, and what the tests of it share. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import type { FlagRecord } from '../../src/detect/records.ts'
import { Machine } from '../../src/simulator/machine.ts'
import { SimulatorSource } from '../../src/sources/simulator.ts'
import { allRecords } from '../support/drain.ts'
import { produceRaw, type RawRecord, uniqueName } from '../support/kafka.ts'
import { readFlags, windowOf } from '../support/line.ts'
import type { Daemon, Exit } from '../support/program.ts'

const REFERENCE = new URL('../../models/reference', import.meta.url).pathname
export const START_MS = Date.parse('2020-04-01T00:00:00Z')
const HOURS = 4
const WINDOWS_PER_HOUR = 4
const NODES = 2
/** Windows of all nodes. */
export const ALL = NODES * HOURS * WINDOWS_PER_HOUR
/** The daemon stops in at most this long, as the documentation promises. */
const STOP_MS = 10_000
/** Records of one request. */
const CHUNK = 4000

export type Message = Pick<RawRecord, 'key' | 'value'>

/** Some hours of a small machine, in the order of time. */
export async function simulate(): Promise<Message[]> {
  const machine = new Machine({ nodes: NODES, seed: 7, startMs: START_MS, faults: [] })
  const source = new SimulatorSource({ machine, speed: 'max', endMs: START_MS + HOURS * 3_600_000 })
  return await allRecords(source)
}

/** Sends messages in their order; a node stays on its partition. */
export async function send(
  bootstrap: string,
  topic: string,
  partitions: number,
  messages: readonly Message[],
): Promise<void> {
  for (let i = 0; i < messages.length; i += CHUNK) {
    await produceRaw(
      bootstrap,
      topic,
      messages.slice(i, i + CHUNK).map(({ key, value }) => {
        const node = /\/node\/r205n(\d\d)\//.exec(String(key))?.[1] ?? '0'
        return { partition: Number(node) % partitions, key, value }
      }),
    )
  }
}

/** Configuration of a daemon with names of its own on the broker, to be written to `file`. */
export function configuration(
  bootstrap: string,
  folder: string,
  topic: string,
  from = 'earliest',
  idle = '2s',
) {
  const names = { flags: uniqueName('flags'), group: uniqueName('group') }
  const config = {
    model: REFERENCE,
    source: {
      type: 'kafka',
      brokers: [bootstrap],
      topics: [topic],
      group: names.group,
      from,
      state_topic: uniqueName('state'),
    },
    sinks: [
      { type: 'kafka', brokers: [bootstrap], flags_topic: names.flags, alarms_topic: uniqueName('alarms') },
    ],
    windows: { idle_timeout: idle },
    http: { port: 0 },
  }
  return { ...names, config, file: join(folder, `${names.flags}.yaml`) }
}

export async function metric(daemon: Daemon, name: string): Promise<number> {
  return (await daemon.metrics()).get(`examon_dec_${name}`) ?? 0
}

/** Stops the daemon as systemd does; it must end well and in time. */
export async function terminate(daemon: Daemon): Promise<Exit> {
  const started = performance.now()
  const exit = await daemon.stop('SIGTERM')
  assert.equal(exit.code, 0, exit.stderr)
  const took = performance.now() - started
  assert.ok(took < STOP_MS, `it took ${took} ms to stop`)
  return exit
}

/** The flags in a topic by window, of which none may be there twice. */
export async function flagsOf(bootstrap: string, topic: string): Promise<Map<string, FlagRecord>> {
  const flags = await readFlags(bootstrap, topic)
  const byWindow = new Map(flags.map((flag) => [windowOf(flag), flag]))
  assert.equal(byWindow.size, flags.length, 'no window twice')
  return byWindow
}
