import { Command, InvalidArgumentError } from 'commander'
import type { Machine } from '../bench/machine.ts'
import { benchTraining, ROUNDS, STEP_BATCHES, type TrainBench } from '../bench/train.ts'
import { renderTable } from '../evaluate/table.ts'
import { interruptible } from './interrupt.ts'
import { createProgress } from './output.ts'

interface Options {
  batch: number[]
  rounds: number
  json?: boolean
}

const HELP = `
The network is 460-500-500-2000-20 and its mirror. The peak is the best of several large products of matrices, one
factor constant, by the same runtime. All parts take turns within each round, so that shares hold on a busy machine
too; times do not. A step computes 6 FLOP a weight and row: multiply and add, once forward, twice backward (for the
first layer once less, which is not subtracted). The encoder is measured from scaled features to the code, with
constant weights as in a model bundle.

Examples:
  $ examon-dec bench train
  $ examon-dec bench train --batch 32 256 4096
  $ examon-dec bench train --json | jq '.steps[] | {name, batch, median, share}'`

/** `bench train`: speed of training steps and of the encoder. */
export function benchCommand(): Command {
  const train = new Command('train')
    .description('Measures training steps and the encoder, as a share of the peak of the same run.')
    .option('--batch <rows...>', 'rows a training step', collectCounts, STEP_BATCHES)
    .option('--rounds <n>', 'rounds in which all parts take a turn', parseCount, ROUNDS)
    .option('--json', 'print all figures as JSON on stdout')
    .addHelpText('after', HELP)
    .action(async ({ batch, rounds, json }: Options) => {
      const step = createProgress().step('Measuring', rounds)
      const result = await interruptible((signal) =>
        benchTraining(batch, rounds, signal, (round) => step.advance(round)),
      )
      step.finish()
      process.stdout.write(`${json === true ? JSON.stringify(result) : report(result)}\n`)
    })
  return new Command('bench')
    .summary('measure the speed of training and encoding on this machine')
    .description('Measures speed on this machine.')
    .addHelpText('after', HELP)
    .addCommand(train)
}

function parseCount(text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1) {
    throw new InvalidArgumentError('a whole number from 1 is needed')
  }
  return value
}

/** Commander hands over one value at a time, and the default before the first. */
function collectCounts(text: string, before: number[]): number[] {
  return [...(before === STEP_BATCHES ? [] : before), parseCount(text)]
}

function report({ machine, widths, weights, peak, steps, encoder, encoderBytes }: TrainBench): string {
  const figures = [
    { title: 'ms (median)', decimals: 3 },
    { title: 'fastest', decimals: 3 },
    { title: 'GFLOP/s', decimals: 0 },
    { title: '% of peak', decimals: 0 },
  ]
  const training = renderTable(
    [{ title: 'training step' }, { title: 'rows' }, ...figures],
    steps.map((s) => [s.name, s.batch, s.median, s.fastest, s.gflops, 100 * s.share]),
  )
  const encoding = renderTable(
    [{ title: 'encoder' }, { title: 'rows' }, { title: 'vectors/s', decimals: 0 }, ...figures],
    encoder.map((e) => [e.name, e.batch, e.vectorsPerSecond, e.median, e.fastest, e.gflops, 100 * e.share]),
  )
  return [
    machineLine(machine),
    `network ${widths.join('-')}, ${weights} weights`,
    `peak ${peak.gflops.toFixed(0)} GFLOP/s: product ${peak.shape.join('×')} in ${peak.median.toFixed(1)} ms`,
    '',
    training,
    '',
    encoding,
    ...encoder
      .filter(({ batch }) => batch === 1)
      .map(({ median }) => {
        const [megabytes, rate] = [encoderBytes / 1e6, encoderBytes / median / 1e6]
        return `a single vector reads ${megabytes.toFixed(1)} MB of weights, here at ${rate.toFixed(0)} GB/s`
      }),
  ].join('\n')
}

function machineLine({ cpu, cores, memoryGiB, node, onnxruntime, date, load }: Machine): string {
  return `${cpu}, ${cores} cores, ${memoryGiB} GiB, Node ${node}, onnxruntime ${onnxruntime}, ${date}, load ${load.toFixed(1)}`
}
