import { existsSync } from 'node:fs'
import { Command, InvalidArgumentError, Option } from 'commander'
import { bootstrap } from '../bootstrap/bootstrap.ts'
import type { Progress } from '../bootstrap/progress.ts'
import { workspaceOf } from '../bootstrap/workspace.ts'
import { defaultConfig, loadConfig } from '../config/load.ts'
import { renderTable } from '../evaluate/table.ts'
import { loadCatalogue } from '../examon/catalogue.ts'
import { openHistory } from '../history/history.ts'
import type { Moved } from '../model/manifest.ts'
import { errorText } from './errors.ts'
import { interruptible } from './interrupt.ts'
import { createProgress } from './output.ts'

interface Options {
  history: string[]
  out: string
  config?: string
  catalogue?: string
  from?: string
  preset?: 'default' | 'report'
  seed?: number
  json?: boolean
}

const HELP = `
The layout of the history is found out from the files: wide samples (timestamp, node, one column a metric), windows as
in the report (avg:X, var:X, max:X, min:X) or in the public set (X_avg, X_std, X_min, X_max), or the raw ExaData tree.

Interrupted, even by a crash, it goes on after its last epoch when the same command is given again; until then its work
stays in a hidden folder beside the bundle, 6 kB a window of 460 features.

Examples:
  $ examon-dec bootstrap --history 'history/*.parquet' --out models/mine
  $ examon-dec bootstrap --history 'exadata/**/*.parquet' --catalogue config/marconi100.catalogue.yaml --out models/m100
  $ examon-dec bootstrap --history r206n05.parquet --preset report --out models/r206n05
  $ examon-dec bootstrap --history 'newer/*.parquet' --from models/mine --out models/mine
  $ examon-dec bootstrap --config config/marconi100.yaml --history 'history/*.parquet' --out models/m100 --json`

/** `bootstrap`: history to model bundle. */
export function bootstrapCommand(): Command {
  return new Command('bootstrap')
    .summary('train a model on history and write its bundle')
    .description(
      'Builds windows from parquet history, trains autoencoder and DEC, calibrates, and writes a bundle.',
    )
    .requiredOption('--history <globs...>', 'parquet files or globs')
    .requiredOption(
      '--out <dir>',
      'folder of the bundle; an older bundle there is replaced when the new one is complete',
    )
    .option('--config <file>', 'configuration; its section `training` and its `catalogue` are read')
    .option('--catalogue <file>', 'metric catalogue of the site; overrides the configuration')
    .addOption(
      new Option(
        '--preset <name>',
        'overrides training.preset: sizes that grow with the data, or the published report',
      ).choices(['default', 'report']),
    )
    .option(
      '--from <dir>',
      'bundle to start from, for periodic retraining: its network and centres, fewer epochs, and a table of what moved',
    )
    .option('--seed <n>', 'overrides training.seed; same seed, history and machine: same bundle', seed)
    .option('--json', 'print the result as JSON on stdout')
    .addHelpText('after', HELP)
    .action(run)
}

async function run(options: Options): Promise<void> {
  const config = options.config === undefined ? defaultConfig() : loadConfig(options.config)
  const training = {
    ...config.training,
    ...(options.preset === undefined ? {} : { preset: options.preset }),
    ...(options.seed === undefined ? {} : { seed: options.seed }),
  }
  const cataloguePath = options.catalogue ?? config.catalogue
  const catalogue = cataloguePath === undefined ? null : loadCatalogue(cataloguePath)
  const progress = createProgress()
  const work = interruptible(async (signal) => {
    const history = await openHistory(options.history)
    try {
      const result = await bootstrap({
        history,
        catalogue,
        training,
        out: options.out,
        from: options.from,
        progress,
        signal,
      })
      for (const guard of result.guards) {
        if (guard.result === 'warning') process.stderr.write(`warning: ${guard.message}\n`)
      }
      if (options.json === true) process.stdout.write(`${JSON.stringify(result)}\n`)
      else if (result.moved !== undefined) process.stdout.write(`${describeMoved(result.moved)}\n`)
      if (options.json !== true) process.stderr.write(`bundle ${result.out}, model ${result.version}\n`)
      await report(result.out, progress, signal)
    } finally {
      history.close()
    }
  })
  await work.catch((error: unknown) => {
    if (existsSync(workspaceOf(options.out))) {
      process.stderr.write('the same command goes on where this one stopped\n')
    }
    throw error
  })
}

/** What a retraining has changed, as tables. */
function describeMoved({ from, windows, error, threshold, changedMode, modes, ranges }: Moved): string {
  const facts = [
    ['mean squared residual, scaled units', error.before, error.after],
    ['threshold, spreads', threshold.before, threshold.after],
  ]
  const what = renderTable(
    [{ title: 'what' }, { title: 'before', decimals: 4 }, { title: 'after', decimals: 4 }],
    facts,
  )
  const ofModes = renderTable(
    [
      { title: 'mode' },
      { title: 'was mode' },
      { title: 'share before', decimals: 3 },
      { title: 'share after', decimals: 3 },
      { title: 'centre moved, spreads', decimals: 2 },
    ],
    modes.map(({ mode, was, shareBefore, shareAfter, moved }) => [mode, was, shareBefore, shareAfter, moved]),
  )
  const span = ([low, high]: [number, number]): string => `${low.toPrecision(4)} … ${high.toPrecision(4)}`
  const ofRanges = renderTable(
    [
      { title: 'range of the fleet' },
      { title: 'before' },
      { title: 'after' },
      { title: 'change', decimals: 2 },
    ],
    ranges.map(({ feature, before, after, change }) => [feature, span(before), span(after), change]),
  )
  const share = `${(100 * changedMode).toFixed(1)} % of the windows have changed their mode`
  return `from model ${from}, on ${windows} windows of the new training: ${share}\n\n${what}\n\n${ofModes}\n\n${ofRanges}`
}

/** Pictures of the training within the bundle's folder. The bundle is complete by now: a failure is only told. */
async function report(out: string, progress: Progress, signal: AbortSignal): Promise<void> {
  try {
    // Loaded here: the libraries that draw take a while, and nothing else needs them.
    const { writeTrainingReport } = await import('../evaluate/pictures/report.ts')
    const file = await writeTrainingReport(out, { progress, signal })
    process.stderr.write(`report ${file}\n`)
  } catch (error) {
    process.stderr.write(`warning: the bundle is complete, its report is not: ${errorText(error, false)}\n`)
  }
}

function seed(text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 0 || value > 0xffffffff || text.trim() === '') {
    throw new InvalidArgumentError('a whole number from 0 to 4294967295 is needed.')
  }
  return value
}
