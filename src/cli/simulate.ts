import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { Command, InvalidArgumentError, Option } from 'commander'
import { type Fault, planFaults, usualFaultCount } from '../simulator/faults.ts'
import { HISTORY_LAYOUTS, type HistoryLayout, writeHistory } from '../simulator/history.ts'
import { placeNodes } from '../simulator/layout.ts'
import { Machine } from '../simulator/machine.ts'
import { SimulatorSource } from '../sources/simulator.ts'
import type { SourceRecord } from '../sources/source.ts'
import { UsageError } from './errors.ts'
import { interruptible } from './interrupt.ts'
import { createProgress } from './output.ts'

interface Options {
  nodes: number
  days?: number
  seed: number
  start?: number
  faults?: number
  out?: string
  layout: HistoryLayout
  to?: 'stdout' | 'kafka'
  brokers?: string[]
  topic: string
  key: 'node' | 'topic'
  speed: number | 'max'
  json?: boolean
}

const DAY_MS = 86_400_000
const TICK_MS = 20_000
/** History begins here unless told otherwise, so that a command line alone fixes every byte. */
const HISTORY_START = '2020-03-09T00:00:00Z'
/** Faults of an endless stream are planned so far ahead, days. */
const STREAM_DAYS = 28
/** A longer wait only delays the answer to Ctrl-C. */
const POLL_MS = 200

const HELP = `
Faults and their times stand in truth.json beside the history.

Examples:
  $ examon-dec simulate --nodes 20 --days 7 --out history
  $ examon-dec simulate --nodes 1 --days 160 --layout windows --faults 0 --out report
  $ examon-dec simulate --nodes 4 --to stdout --speed 60
  $ examon-dec simulate --nodes 980 --to kafka --brokers localhost:9092 --topic examon --speed 10
  $ examon-dec simulate --nodes 980 --days 0.01 --to stdout --speed max | head`

/** `simulate`: a simulated Marconi-100, as parquet history (`--out`) or as live messages (`--to`). */
export function simulateCommand(): Command {
  return new Command('simulate')
    .summary('a simulated Marconi-100, as parquet history or as live messages')
    .description(
      'A simulated Marconi-100 with jobs, weather, gaps and faults: as parquet history or as live messages.',
    )
    .option('--nodes <n>', 'nodes, 20 a rack', positiveInteger, 20)
    .option('--days <d>', 'simulated days (default: 1 for a history, endless for messages)', positiveNumber)
    .option('--seed <n>', 'same seed, same machine and same faults', wholeNumber, 1)
    .option(
      '--start <time>',
      `first moment, ISO 8601 (default: ${HISTORY_START} for a history, now for messages)`,
      time,
    )
    .option(
      '--faults <n>',
      'injected faults (default: one a node in two weeks, at least one of each kind)',
      wholeNumber,
    )
    .addOption(new Option('--out <dir>', 'write parquet history to this empty folder').conflicts('to'))
    .addOption(
      new Option(
        '--layout <layout>',
        'of the history: wide samples, the raw ExaData tree, or 15-minute windows',
      )
        .choices(HISTORY_LAYOUTS)
        .default('samples'),
    )
    .addOption(
      new Option(
        '--to <where>',
        'send messages: to stdout, one `topic<TAB>payload` a line, or to Kafka, key = MQTT topic',
      ).choices(['stdout', 'kafka']),
    )
    .option('--brokers <host:port,...>', 'of Kafka', (list: string) => list.split(','))
    .option('--topic <name>', 'of Kafka; it must be there', 'examon')
    .addOption(
      new Option('--key <by>', 'what chooses the Kafka partition: the node, or the MQTT topic as bridges do')
        .choices(['node', 'topic'])
        .default('node'),
    )
    .option('--speed <x>', 'of messages: times real time, or max', speed, 1)
    .option('--json', 'print what was written as JSON')
    .addHelpText('after', HELP)
    .action(simulate)
}

async function simulate(options: Options): Promise<void> {
  if (options.out !== undefined) await writeFiles(options, options.out)
  else if (options.to) await play(options)
  else throw new UsageError('simulate needs --out DIR for a history, or --to stdout or kafka for messages')
}

async function writeFiles(options: Options, directory: string): Promise<void> {
  const there = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw new UsageError(`--out ${directory}: ${error.message}`)
  })
  if (there.length > 0)
    throw new UsageError(`--out ${directory} is not empty; a history needs a folder of its own`)
  const { nodes, seed, layout } = options
  const fromMs = options.start ?? Date.parse(HISTORY_START)
  const toMs = fromMs + Math.round(((options.days ?? 1) * DAY_MS) / TICK_MS) * TICK_MS
  const faults = plan(options, fromMs, toMs)
  const step = createProgress().step(`simulate ${nodes} nodes`, 1)
  const files = await interruptible((signal) =>
    writeHistory({
      directory,
      layout,
      nodes,
      seed,
      fromMs,
      toMs,
      faults,
      signal,
      progress: (share) => step.advance(share),
    }),
  )
  step.finish(`${files.length} files in ${directory}, ${faults.length} faults`)
  if (options.json) {
    const span = { start: new Date(fromMs).toISOString(), end: new Date(toMs).toISOString() }
    process.stdout.write(
      `${JSON.stringify({ directory, layout, nodes, seed, ...span, files, faults: faults.length })}\n`,
    )
  }
}

/** Plays the machine until its end, Ctrl-C, or the end of the reader's patience. */
async function play(options: Options): Promise<void> {
  const { nodes, seed, days, speed } = options
  const target = options.to === 'kafka' ? await openKafka(options) : STDOUT
  const startMs = options.start ?? Math.floor(Date.now() / TICK_MS) * TICK_MS
  const horizon = startMs + (days ?? STREAM_DAYS) * DAY_MS
  const machine = new Machine({ nodes, seed, startMs, faults: plan(options, startMs, horizon) })
  const source = new SimulatorSource({ machine, speed, ...(days === undefined ? {} : { endMs: horizon }) })
  try {
    await interruptible(async (signal) => {
      await source.start()
      while (!signal.aborted) {
        const event = await source.poll(POLL_MS)
        if (event.kind === 'end') return
        if (event.kind === 'records' && !(await target.send(event.records))) return
      }
    })
  } finally {
    await source.close()
    await target.close()
  }
}

interface Target {
  /** False when nobody wants more. */
  send(records: readonly SourceRecord[]): Promise<boolean>
  close(): Promise<void>
}

const STDOUT: Target = {
  async send(records) {
    const { stdout } = process
    // The reader may go away first (`| head`); that is no failure.
    if (stdout.listenerCount('error') === 0) stdout.on('error', () => {})
    const lines = records.map(({ key, value }) => `${key}\t${value}\n`).join('')
    if (!stdout.write(lines)) await once(stdout, 'drain').catch(() => {})
    return stdout.errored === null
  },
  async close() {},
}

async function openKafka(options: Options): Promise<Target> {
  const { brokers, topic, key } = options
  if (!brokers) throw new UsageError('--to kafka needs --brokers host:port')
  // Loaded here, for it brings the Kafka client with it.
  const { openRecordProducer } = await import('../sinks/producer.ts')
  const producer = await openRecordProducer({ brokers, topic, keyed: key, clientId: 'examon-dec-simulate' })
  // The source hands out one key object a series.
  const nodeOfKey = new Map<Buffer, string>()
  return {
    async send(records) {
      await producer.send(
        records.map(({ key, value }) => {
          // The simulator's records always have both.
          let node = nodeOfKey.get(key!)
          if (node === undefined) {
            node = /\/node\/([^/]+)\//.exec(`${key}`)?.[1] ?? ''
            nodeOfKey.set(key!, node)
          }
          return { key: key!, value: value!, node }
        }),
      )
      return true
    },
    close: () => producer.close(),
  }
}

function plan(options: Options, fromMs: number, toMs: number): Fault[] {
  const { nodes, seed } = options
  const count = options.faults ?? usualFaultCount(nodes, (toMs - fromMs) / DAY_MS)
  try {
    return planFaults({ nodes: placeNodes(nodes), seed, fromMs, toMs, count })
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(`--faults ${count}: ${error.message}`)
    throw error
  }
}

function positiveInteger(value: string): number {
  const n = wholeNumber(value)
  if (n < 1) throw new InvalidArgumentError('Expected a whole number from 1.')
  return n
}

function wholeNumber(value: string): number {
  if (!/^\d{1,9}$/.test(value)) throw new InvalidArgumentError('Expected a whole number.')
  return Number(value)
}

function positiveNumber(value: string): number {
  const n = /^\d+(\.\d+)?$/.test(value) ? Number(value) : Number.NaN
  if (!(n > 0)) throw new InvalidArgumentError('Expected a number above 0.')
  return n
}

function speed(value: string): number | 'max' {
  return value === 'max' ? 'max' : positiveNumber(value)
}

function time(value: string): number {
  const ms = Date.parse(value)
  if (Number.isNaN(ms)) throw new InvalidArgumentError(`Expected a time such as ${HISTORY_START}.`)
  if (ms % TICK_MS !== 0) throw new InvalidArgumentError('Expected a multiple of 20 s.')
  return ms
}
