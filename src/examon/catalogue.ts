/** The metric catalogue of a site: which metrics the model watches, their units, periods and pools. */

import Type from 'typebox'
import { type Rule, readDocument } from '../config/document.ts'
import type { Seconds } from '../config/duration.ts'
import { positiveDuration, section, text } from '../config/kinds.ts'
import type { Problem } from '../config/problems.ts'

export interface CatalogueMetric {
  name: string
  /** Names on the wire, `*` for any run of digits; `[name]` unless the entry pools several sensors. */
  sensors: string[]
  unit: string
  /** Sampling period, seconds. */
  periodSeconds: number
  plugin: string
}

export interface Catalogue {
  site: string
  metrics: CatalogueMetric[]
}

/** The catalogue as its file has it. */
interface CatalogueFile {
  site: string
  metrics: { name: string; unit: string; period: Seconds; plugin: string; sensors?: string[] }[]
}

const MetricSchema = section(
  {
    name: text({
      description: 'Name of the metric in features and flags; also of its sensor, unless it pools.',
    }),
    unit: Type.String({ description: 'Unit of the values; empty where there is none.' }),
    period: positiveDuration({ description: 'Time between two samples of one sensor.' }),
    plugin: text({ description: 'ExaMon plugin that publishes it.' }),
    sensors: Type.Optional(
      Type.Array(text({ description: 'Name of a sensor; `*` stands for any run of digits.' }), {
        minItems: 1,
        uniqueItems: true,
        description: 'Sensors whose samples form one pool.',
      }),
    ),
  },
  { description: 'One metric.' },
)

const CatalogueSchema = section(
  {
    site: text({ description: 'Name of the machine.' }),
    metrics: Type.Array(MetricSchema, { minItems: 1, description: 'Metrics that a model may watch.' }),
  },
  { description: 'Metric catalogue of a site.' },
)

/** A metric that stands twice, or a sensor that belongs to two metrics, would count its samples twice. */
const UNIQUE: Rule<CatalogueFile> = {
  reads: ['metrics'],
  check({ metrics }) {
    const problems: Problem[] = []
    const names = new Map<string, number>()
    const owners = new Map<string, string>()
    for (const [i, metric] of metrics.entries()) {
      const before = names.get(metric.name)
      if (before !== undefined) {
        const message = `metrics[${i}].name: ${metric.name} is also metrics[${before}]`
        problems.push({ path: ['metrics', i, 'name'], at: 'value', message })
        continue
      }
      names.set(metric.name, i)
      for (const sensor of metric.sensors ?? [metric.name]) {
        const owner = owners.get(sensor)
        if (owner !== undefined) {
          const message = `metrics[${i}]: sensor ${sensor} already belongs to metric ${owner}`
          problems.push({ path: ['metrics', i], at: 'value', message })
        } else owners.set(sensor, metric.name)
      }
    }
    return problems
  },
}

/**
 * Reads a catalogue file.
 *
 * @throws ConfigError with every problem found, each with file, line and column.
 */
export function loadCatalogue(file: string): Catalogue {
  const { site, metrics } = readDocument<CatalogueFile>(file, CatalogueSchema, {
    rules: [UNIQUE],
    // A catalogue is data that models are tied to by hash; it does not depend on who reads it.
    environment: {},
  })
  return {
    site,
    metrics: metrics.map(({ name, unit, period, plugin, sensors }) => ({
      name,
      sensors: sensors ?? [name],
      unit,
      periodSeconds: period,
      plugin,
    })),
  }
}

/** Whether a sensor's name fits a catalogue entry, in which `*` stands for any run of digits (at least one). */
export function matchesSensor(pattern: string, name: string): boolean {
  if (!pattern.includes('*')) return pattern === name
  const parts = pattern.split('*').map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${parts.join('\\d+')}$`).test(name)
}

/**
 * The metrics of a catalogue that these sensors feed, in catalogue order, each with the sensors found for it in the
 * order given. Sensors that the catalogue does not list are left out, as are metrics without a sensor.
 */
export function poolSensors(
  catalogue: Catalogue,
  sensors: readonly string[],
): { name: string; sensors: string[] }[] {
  return catalogue.metrics
    .map((metric) => ({
      name: metric.name,
      sensors: sensors.filter((sensor) => metric.sensors.some((pattern) => matchesSensor(pattern, sensor))),
    }))
    .filter((metric) => metric.sensors.length > 0)
}
