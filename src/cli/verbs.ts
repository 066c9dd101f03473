import type { Command } from 'commander'

export interface Verb {
  summary: string
  load(): Promise<Command>
}

/** Every verb; the module of one is loaded when it is asked for, so that `--help` and `check` stay quick. */
export const VERBS: Readonly<Record<string, Verb>> = {
  demo: {
    summary: 'simulate, train, run and evaluate, all on this machine, in under two minutes',
    load: async () => (await import('./demo.ts')).demoCommand(),
  },
  bootstrap: {
    summary: 'train a model on history and write its bundle',
    load: async () => (await import('./bootstrap.ts')).bootstrapCommand(),
  },
  tune: {
    summary: 'search hyper-parameters and write the bundle of the best model',
    load: async () => (await import('./tune.ts')).tuneCommand(),
  },
  run: {
    summary: 'the daemon: read live samples, publish flags, alarms and metrics',
    load: async () => (await import('./run.ts')).runCommand(),
  },
  bridge: {
    summary: 'bring samples from MQTT to Kafka, a node to a partition',
    load: async () => (await import('./bridge.ts')).bridgeCommand(),
  },
  evaluate: {
    summary: 'score labelled history and compare with baselines',
    load: async () => (await import('./evaluate.ts')).evaluateCommand(),
  },
  simulate: {
    summary: 'a simulated Marconi-100, as parquet history or as live messages',
    load: async () => (await import('./simulate.ts')).simulateCommand(),
  },
  replay: {
    summary: 'play history as live messages',
    load: async () => (await import('./replay.ts')).replayCommand(),
  },
  check: {
    summary: 'check a configuration file or a model bundle',
    load: async () => (await import('./check.ts')).checkCommand(),
  },
  inspect: {
    summary: 'print what a model bundle holds',
    load: async () => (await import('./inspect.ts')).inspectCommand(),
  },
  completion: {
    summary: 'print the completion of a shell',
    load: async () => (await import('./completion.ts')).completionCommand(),
  },
  bench: {
    summary: 'measure the speed of training and encoding on this machine',
    load: async () => (await import('./bench.ts')).benchCommand(),
  },
}
