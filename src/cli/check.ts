import { existsSync } from 'node:fs'
import { Command } from 'commander'
import { loadConfig } from '../config/load.ts'
import { ConfigError } from '../config/problems.ts'
import { RUN_KEYS } from '../config/rules.ts'
import { openBundle } from '../model/bundle.ts'
import { explain } from './explain.ts'

/** `check config FILE` and `check model DIR`. */
export function checkCommand(): Command {
  const check = new Command('check')
    .description('Check a configuration file or a model bundle, without connecting to anything.')
    .addHelpText(
      'after',
      '\nExamples:\n  $ examon-dec check config examon-dec.yaml\n  $ examon-dec check model models/marconi100',
    )
  check
    .command('config')
    .description(
      'Check a configuration file and say what it reads and writes, what it needs, and what is risky about it.',
    )
    .argument('<file>', 'configuration file (YAML)')
    .option('--json', 'print the outcome as JSON')
    .action(checkConfig)
  check
    .command('model')
    .description('Check that a model bundle is whole and of a form that this version reads.')
    .argument('<dir>', 'folder of the bundle')
    .option('--json', 'print the outcome as JSON')
    .action(checkModel)
  return check
}

function checkConfig(file: string, options: { json?: boolean }): void {
  try {
    const config = loadConfig(file)
    const manifest =
      config.model !== undefined && existsSync(config.model) ? openBundle(config.model).manifest : null
    const missing = RUN_KEYS.filter((key) => config[key] === undefined)
    const explanation = explain(config, manifest, Date.now())
    if (options.json) {
      printJson({ file, ok: true, problems: [], ...explanation, missing_for_run: missing })
      return
    }
    const { reads, writes, needs, risks } = explanation
    const sections = { Reads: reads, Writes: writes, Needs: needs, Mind: risks }
    const lines = [`${file}: valid`]
    for (const [title, sentences] of Object.entries(sections))
      if (sentences.length > 0) lines.push(title, ...sentences.map((sentence) => `  ${sentence}`))
    if (missing.length > 0) lines.push(`Enough for bootstrap; run also needs: ${missing.join(', ')}`)
    process.stdout.write(`${lines.join('\n')}\n`)
  } catch (error) {
    if (options.json && error instanceof ConfigError) printJson({ file, ok: false, problems: error.problems })
    throw error
  }
}

function checkModel(dir: string, options: { json?: boolean }): void {
  const bundle = openBundle(dir)
  if (options.json) printJson({ dir, ok: true, version: bundle.version })
  else process.stdout.write(`${dir}: valid, version ${bundle.version}\n`)
}

function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`)
}
