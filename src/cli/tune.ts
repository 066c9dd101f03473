import { Command, Option } from 'commander'
import { checkConfig, defaultConfig, loadConfig } from '../config/load.ts'
import { ConfigError } from '../config/problems.ts'
import { rulesOfData, type TuneFacts } from '../config/tune-rules.ts'
import { loadCatalogue } from '../examon/catalogue.ts'
import { openHistory } from '../history/history.ts'
import { leaderboardText } from '../tune/leaderboard.ts'
import { type TuneResult, tune } from '../tune/tune.ts'
import { interruptible } from './interrupt.ts'
import { createProgress } from './output.ts'
import { watchSearch } from './tune-progress.ts'
import { runTuneReport } from './tune-report.ts'

interface Options {
  history: string[]
  out: string
  config?: string
  catalogue?: string
  preset?: 'report'
  json?: boolean
}

const HELP = `
Trials run in processes of their own, several at a time. What is done is kept in <out>.tune: the same command goes on after an
interruption, and refuses when history, space or options have changed. That folder also gets leaderboard.json and
winner.yaml, the winner's section \`training\`. The winner is trained in full and must pass the guards of bootstrap; if
it does not, the next one is taken.

--preset report runs the experiments of the published report instead, one factor at a time, on one labelled node.

Examples:
  $ examon-dec tune --history 'history/*.parquet' --out models/tuned
  $ examon-dec tune --config tune.yaml --history 'history/*.parquet' --out models/tuned --json
  $ examon-dec tune --preset report --history r206n05.parquet --out report`

/** `tune`: history to the bundle of the best of many trainings. */
export function tuneCommand(): Command {
  return new Command('tune')
    .summary('search hyper-parameters and write the bundle of the best model')
    .description(
      'Trains many models with values drawn from a search space, ranks them on held-out windows, and writes the bundle of the best.',
    )
    .requiredOption('--history <globs...>', 'parquet files or globs')
    .requiredOption('--out <dir>', 'folder of the bundle; the search keeps its own files in <dir>.tune')
    .option(
      '--config <file>',
      'configuration; its sections `tune` and `training` and its `catalogue` are read',
    )
    .option('--catalogue <file>', 'metric catalogue of the site; overrides the configuration')
    .addOption(new Option('--preset <name>', "the published report's experiments").choices(['report']))
    .option('--json', 'print the result as JSON on stdout')
    .addHelpText('after', HELP)
    .action((options: Options) => (options.preset === 'report' ? runTuneReport(options) : run(options)))
}

async function run(options: Options): Promise<void> {
  const config = options.config === undefined ? defaultConfig() : loadConfig(options.config)
  const cataloguePath = options.catalogue ?? config.catalogue
  const catalogue = cataloguePath === undefined ? null : loadCatalogue(cataloguePath)
  const check = (facts: TuneFacts): void => {
    const rules = rulesOfData(facts)
    if (options.config !== undefined) checkConfig(options.config, rules)
    const problems = rules.flatMap((rule) => rule.check(config))
    if (problems.length > 0) throw new ConfigError(problems.map(({ message }) => message))
  }
  await interruptible(async (signal) => {
    const history = await openHistory(options.history)
    try {
      const result = await tune({
        history,
        catalogue,
        training: config.training,
        tune: config.tune,
        out: options.out,
        progress: createProgress(),
        check,
        watch: watchSearch(process.stderr),
        signal,
      })
      if (options.json === true) process.stdout.write(`${JSON.stringify(result)}\n`)
      else process.stdout.write(`${summary(result)}\n`)
    } finally {
      history.close()
    }
  })
}

function summary({ criterion, rungs, leaderboard, refused, winner, bundle, work }: TuneResult): string {
  return [
    leaderboardText({ criterion, rungs, ranked: leaderboard }),
    '',
    ...refused.map(({ trial, reason }) => `trial ${trial} was refused: ${reason}`),
    ...bundle.guards.flatMap(({ result, message }) => (result === 'warning' ? [`warning: ${message}`] : [])),
    `trial ${winner.trial} wins: bundle ${bundle.out}, model ${bundle.version}; its training section is ${work}/winner.yaml`,
  ].join('\n')
}
