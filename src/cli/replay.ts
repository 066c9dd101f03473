import { Command, InvalidArgumentError, Option } from 'commander'
import { openHistory } from '../history/history.ts'
import { ReplaySource } from '../sources/replay.ts'
import { interruptible } from './interrupt.ts'
import { createProgress } from './output.ts'
import { kafkaTarget, stdoutTarget } from './target.ts'

interface Options {
  history: string[]
  to: 'stdout' | 'kafka'
  speed: number | 'max'
  brokers?: string[]
  topic: string
  key: 'topic' | 'node'
}

/** A longer wait only delays the answer to Ctrl-C. */
const POLL_MS = 200

const HELP = `
Examples:
  $ examon-dec replay --history 'history/*.parquet' --to stdout --speed 60
  $ examon-dec replay --history history --to kafka --brokers localhost:9092 --topic examon --key node`

/** `replay`: plays history as live messages. */
export function replayCommand(): Command {
  return new Command('replay')
    .summary('play history as live messages')
    .description(
      'Plays the samples of any supported parquet history in time order, as live messages in ExaMon form.',
    )
    .requiredOption('--history <glob...>', 'files, directories or globs of one layout that holds samples')
    .addOption(
      new Option('--to <where>', 'stdout, one `topic<TAB>payload` a line, or Kafka, key = MQTT topic')
        .choices(['stdout', 'kafka'])
        .makeOptionMandatory(),
    )
    .option('--speed <x>', 'times real time, or max', speed, 'max')
    .option('--brokers <host:port,...>', 'of Kafka', (list: string) => list.split(','))
    .option('--topic <name>', 'of Kafka; it must be there', 'examon')
    .addOption(
      new Option('--key <by>', 'what chooses the Kafka partition: the node, or the MQTT topic as bridges do')
        .choices(['node', 'topic'])
        .default('node'),
    )
    .addHelpText('after', HELP)
    .action(replay)
}

async function replay(options: Options): Promise<void> {
  const history = await openHistory(options.history, { notice: (text) => process.stderr.write(`${text}\n`) })
  const source = new ReplaySource({ history, speed: options.speed })
  try {
    await source.start()
    const target = options.to === 'kafka' ? await openKafka(options) : stdoutTarget()
    const step = createProgress().step('replay', history.toMs - history.fromMs)
    let sent = 0
    try {
      await interruptible(async (signal) => {
        while (!signal.aborted) {
          const event = await source.poll(POLL_MS)
          if (event.kind === 'end') return
          if (event.kind !== 'records') continue
          if (!(await target.send(event.records, signal))) return
          sent += event.records.length
          step.advance(source.timeMs - history.fromMs, `${sent} messages`)
        }
      })
    } finally {
      step.finish(`${sent} messages, up to ${new Date(source.timeMs).toISOString()}`)
      await target.close()
    }
  } finally {
    await source.close()
  }
}

function openKafka({ brokers, topic, key }: Options) {
  return kafkaTarget({ brokers, topic, keyed: key, clientId: 'examon-dec-replay' })
}

function speed(value: string): number | 'max' {
  if (value === 'max') return value
  const times = /^\d+(\.\d+)?$/.test(value) ? Number(value) : Number.NaN
  if (!(times > 0)) throw new InvalidArgumentError('Expected a number above 0, or max.')
  return times
}
