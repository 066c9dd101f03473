import { Command, InvalidArgumentError } from 'commander'
import { Demo } from '../demo/demo.ts'
import type { DemoResult } from '../demo/judge.ts'
import { renderTable } from '../evaluate/table.ts'
import { interruptible } from './interrupt.ts'
import { createProgress } from './output.ts'
import { version } from './version.ts'

interface Options {
  exit?: boolean
  json?: boolean
  seed: number
  port: number
  dir: string
}

const HELP = `
A simulated machine of 24 nodes is recorded for four days; a model is trained on that; then two more days are played
live with ten faults, one of each kind. The table shows which were found, how soon, and the false alarms.

Examples:
  $ examon-dec demo
  $ examon-dec demo --exit --seed 7
  $ examon-dec demo --port 0 --dir /tmp/examon-dec-demo`

/** `demo`: the whole line on one machine. */
export function demoCommand(): Command {
  return new Command('demo')
    .summary('simulate, train, run and evaluate, all on this machine, in under two minutes')
    .description('The whole line without any server: history, model, live stream, flags, metrics and page.')
    .option('--exit', 'end when the table is printed instead of serving the page until Ctrl-C')
    .option('--json', 'print the result as JSON on stdout')
    .option('--seed <n>', 'another machine, other faults', wholeNumber, 1)
    .option('--port <n>', 'port of the page; 0 takes any free one', wholeNumber, 9464)
    .option('--dir <dir>', 'folder for history, model, flags and alarms', 'demo-data')
    .addHelpText('after', HELP)
    .action(run)
}

async function run(options: Options): Promise<void> {
  await interruptible(async (signal) => {
    const demo = new Demo({
      directory: options.dir,
      seed: options.seed,
      port: options.port,
      version: version(),
      progress: createProgress(),
      signal,
      onListening: (url) => process.stderr.write(`page: ${url}\n`),
    })
    try {
      const result = await demo.run()
      process.stdout.write(
        options.json === true ? `${JSON.stringify(result)}\n` : report(result, options.dir),
      )
      if (options.exit === true) return
      process.stderr.write('the machine goes on; the page stays up until Ctrl-C\n')
      await demo.linger()
    } finally {
      await demo.close()
    }
  })
}

function report(result: DemoResult, directory: string): string {
  const rows = result.faults.map(({ kind, nodes, delaySeconds, state, named }) => [
    kind.replaceAll('_', ' '),
    nodes.length === 1 ? (nodes[0] ?? null) : `${nodes.length} nodes`,
    delaySeconds === null ? 'no' : (state ?? 'yes'),
    delaySeconds === null ? null : delaySeconds / 60,
    named.join(', '),
  ])
  const table = renderTable(
    [
      { title: 'fault' },
      { title: 'where' },
      { title: 'found' },
      { title: 'delay min', decimals: 0 },
      { title: 'metrics named' },
    ],
    rows,
  )
  const found = result.faults.filter(({ delaySeconds }) => delaySeconds !== null).length
  const rate = result.falseAlarmsPerNodeWeek?.toFixed(2) ?? '-'
  return `\n${table}\n\n${found} of ${result.faults.length} faults found, ${result.falseAlarms.length} false alarms (${rate} a node and week)\nflags and alarms: ${directory}/flags.ndjson, ${directory}/alarms.ndjson\n`
}

function wholeNumber(text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 0 || text.trim() === '') {
    throw new InvalidArgumentError('a whole number is needed.')
  }
  return value
}
