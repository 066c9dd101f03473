import { defaultsOf, type Rule, readDocument } from './document.ts'
import { NEEDED_BY_BRIDGE, NEEDED_BY_RUN, RULES } from './rules.ts'
import { type BridgeConfig, type Config, ConfigSchema, type RunConfig } from './schema.ts'

/**
 * Reads a configuration file: defaults filled in, durations in seconds, times in ms since the epoch, paths absolute
 * (relative ones start at the file's folder), `${VARIABLE}` expanded.
 *
 * @throws ConfigError with every problem found, each with file, line and column.
 */
export function loadConfig(file: string, environment = process.env): Config {
  return readDocument<Config>(file, ConfigSchema, { rules: RULES, environment })
}

/** As `loadConfig`, and refuses a file that lacks what `run` needs: model, source, sinks. */
export function loadRunConfig(file: string, environment = process.env): RunConfig {
  const rules = [...RULES, ...NEEDED_BY_RUN]
  return readDocument<Config>(file, ConfigSchema, { rules, environment }) as RunConfig
}

/** As `loadConfig`, and refuses a file that lacks what `bridge` needs: an MQTT source and a target. */
export function loadBridgeConfig(file: string, environment = process.env): BridgeConfig {
  const rules = [...RULES, ...NEEDED_BY_BRIDGE]
  return readDocument<Config>(file, ConfigSchema, { rules, environment }) as BridgeConfig
}

/**
 * Reads a configuration once more, by rules that need facts from elsewhere.
 *
 * @throws ConfigError as `loadConfig`.
 */
export function checkConfig(file: string, rules: readonly Rule<Config>[], environment = process.env): void {
  readDocument<Config>(file, ConfigSchema, { rules, environment })
}

/** The configuration of an empty file, for verbs that need none. */
export function defaultConfig(): Config {
  return defaultsOf<Config>(ConfigSchema)
}
