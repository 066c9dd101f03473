/**
 * Short names of operating modes, by rules over what their windows have in common. Where a catalogue gives units,
 * metrics fall into the classes that an operator thinks in ("GPU job at full power"); elsewhere the metrics that
 * stand out most are named ("k07 high, k12 low"). A word is used only where the modes differ in what it says.
 */

interface Profile {
  windows: number
  /** Mean of each metric. */
  mean: Float64Array
  /** Mean standard deviation within a window; NaN where not known. */
  deviation: Float64Array
}

interface MetricUnit {
  name: string
  unit: string
}

type Class = 'GPU' | 'CPU' | 'power' | 'fans' | 'inlet' | 'memory' | 'network'

/** A metric tells modes apart when its means differ by this share of their magnitude. */
const MATERIAL = 0.15
/** Positions between the lowest (0) and the highest mode (1) from which words are used. */
const BUSY = 0.6
const IDLE = 0.2
const FULL = 0.85
const HIGH = 0.55
const MEDIUM = 0.25
/** The load changes when power deviates within a window by this share of its range over the modes. */
const CHANGING = 0.2
/** A metric stands out from this number of spreads. */
const STANDS_OUT = 0.5

const HIGH_LOW: Readonly<Record<Class, readonly [string, string]>> = {
  GPU: ['busier GPUs', 'calmer GPUs'],
  CPU: ['busier CPUs', 'calmer CPUs'],
  power: ['more power', 'less power'],
  fans: ['fast fans', 'slow fans'],
  inlet: ['warm inlet', 'cool inlet'],
  memory: ['warm memory', 'cool memory'],
  network: ['busy network', 'quiet network'],
}

/**
 * One name a mode, all different. `standing`: modes × metrics, distance from the mean of all windows in spreads;
 * `telling`: indices of the metrics that a reader sees beside the names, which are named first.
 */
export function nameModes(
  metrics: readonly MetricUnit[],
  modes: readonly Profile[],
  standing: readonly Float64Array[],
  telling: readonly number[],
): string[] {
  const levels = classLevels(metrics, modes)
  const base = modes.map((mode, i) => {
    if (mode.windows === 0) return 'empty'
    return activityName(metrics, modes, levels, i) ?? standingName(metrics, standing[i]!, telling) // one row a mode
  })
  return distinguish(base, metrics, modes, levels, standing)
}

/** Class of a metric by unit and name, with the sign of its effect; null where the rules know none. */
function classOf({ name, unit }: MetricUnit): { class: Class; sign: 1 | -1 } | null {
  const is = (pattern: RegExp) => pattern.test(name)
  if (unit === 'RPM') return { class: 'fans', sign: 1 }
  if (unit === 'bytes/s' || unit === 'pkt/s') return { class: 'network', sign: 1 }
  if (unit !== 'degC' && unit !== 'W' && unit !== '%') return null
  if (is(/gpu/i)) return { class: 'GPU', sign: 1 }
  if (unit === 'degC' && is(/ambient|inlet/i)) return { class: 'inlet', sign: 1 }
  if (is(/dimm|mem/i)) return unit === 'degC' ? { class: 'memory', sign: 1 } : null
  if (unit === 'W' && is(/total|input|node_power|chassis/i)) return { class: 'power', sign: 1 }
  if (is(/^cpu_idle$/)) return { class: 'CPU', sign: -1 }
  if (is(/^cpu_(user|system|nice)$|^p\d+_(core_temp|power|vdd_temp)$|cpu.*(power|temp)/i)) {
    return { class: 'CPU', sign: 1 }
  }
  return null
}

/** By class, the position of each mode between the lowest and the highest (0 … 1), where they differ materially. */
function classLevels(metrics: readonly MetricUnit[], modes: readonly Profile[]): Map<Class, number[]> {
  const sums = new Map<Class, { total: number[]; count: number }>()
  metrics.forEach((metric, m) => {
    const found = classOf(metric)
    const span = rangeOf(modes, m)
    if (found === null || span === null) return
    const entry = sums.get(found.class) ?? { total: modes.map(() => 0), count: 0 }
    modes.forEach(({ mean }, i) => {
      const position = (mean[m]! - span.low) / (span.high - span.low) // one mean a metric
      entry.total[i]! += found.sign === 1 ? position : 1 - position
    })
    entry.count++
    sums.set(found.class, entry)
  })
  return new Map([...sums].map(([name, { total, count }]) => [name, total.map((sum) => sum / count)]))
}

/** Lowest and highest mean of a metric over the modes; null where they hardly differ. */
function rangeOf(modes: readonly Profile[], m: number): { low: number; high: number } | null {
  const means = modes.flatMap(({ windows, mean }) => (windows === 0 ? [] : [mean[m]!])) // one mean a metric
  const low = Math.min(...means)
  const high = Math.max(...means)
  const differ = high - low >= MATERIAL * Math.max(Math.abs(low), Math.abs(high)) && high > low
  return differ ? { low, high } : null
}

/** `GPU job at full power`, `idle`; null where no metric tells the load. */
function activityName(
  metrics: readonly MetricUnit[],
  modes: readonly Profile[],
  levels: ReadonlyMap<Class, readonly number[]>,
  mode: number,
): string | null {
  const gpu = levels.get('GPU')?.[mode]
  const cpu = levels.get('CPU')?.[mode]
  const power = levels.get('power')?.[mode]
  if (gpu === undefined && cpu === undefined) return null
  const busiest = Math.max(gpu ?? 0, cpu ?? 0)
  const changing = isChanging(metrics, modes, mode) ? ', changing' : ''
  if (busiest <= IDLE) return `idle${changing}`
  const activity = (gpu ?? 0) >= BUSY ? 'GPU job' : (cpu ?? 0) >= BUSY ? 'CPU job' : 'light load'
  if (power === undefined) return `${activity}${changing}`
  const word = power >= FULL ? 'full' : power >= HIGH ? 'high' : power >= MEDIUM ? 'medium' : 'low'
  return `${activity} at ${word} power${changing}`
}

function isChanging(metrics: readonly MetricUnit[], modes: readonly Profile[], mode: number): boolean {
  const shares = metrics.flatMap((metric, m) => {
    const span = classOf(metric)?.class === 'power' ? rangeOf(modes, m) : null
    const deviation = modes[mode]?.deviation[m] ?? Number.NaN
    return span === null || Number.isNaN(deviation) ? [] : [deviation / (span.high - span.low)]
  })
  return shares.length > 0 && shares.reduce((sum, share) => sum + share, 0) / shares.length >= CHANGING
}

/** The two metrics that stand out most: `k07 high, k12 low`. */
function standingName(
  metrics: readonly MetricUnit[],
  standing: Float64Array,
  telling: readonly number[],
): string {
  const words = ranked(standing)
    .filter((m) => telling.includes(m))
    .slice(0, 2)
    .flatMap((m) => (Math.abs(standing[m]!) < STANDS_OUT ? [] : [metricWord(metrics, standing, m)]))
  return words.length === 0 ? 'near the mean' : words.join(', ')
}

function ranked(standing: Float64Array): number[] {
  return Array.from(standing, (_, m) => m).sort((a, b) => Math.abs(standing[b]!) - Math.abs(standing[a]!))
}

function metricWord(metrics: readonly MetricUnit[], standing: ArrayLike<number>, m: number): string {
  return `${metrics[m]?.name ?? ''} ${(standing[m] ?? 0) > 0 ? 'high' : 'low'}`
}

/** Adds to names that several modes share what tells these apart: a class, then metrics, then a number. */
function distinguish(
  names: readonly string[],
  metrics: readonly MetricUnit[],
  modes: readonly Profile[],
  levels: ReadonlyMap<Class, readonly number[]>,
  standing: readonly Float64Array[],
): string[] {
  const sharing = (all: readonly string[], i: number) =>
    all.flatMap((name, j) => (name === all[i] && modes[j]!.windows > 0 ? [j] : [])) // one name a mode
  const byClass = names.map((name, i) => {
    const group = sharing(names, i)
    const word = group.length < 2 ? null : classWord(levels, group, i)
    return word === null ? name : `${name}, ${word}`
  })
  const byMetric = byClass.map((name, i) => {
    const group = sharing(byClass, i)
    if (group.length < 2) return name
    const difference = standing[i]!.map((value, m) => {
      const others = group.filter((j) => j !== i)
      return value - others.reduce((sum, j) => sum + standing[j]![m]!, 0) / others.length
    })
    const most = ranked(difference).find((m) => !name.includes(metrics[m]?.name ?? ''))
    return most === undefined || Math.abs(difference[most]!) < STANDS_OUT
      ? name
      : `${name}, ${metricWord(metrics, difference, most)}`
  })
  return byMetric.map((name, i) => {
    const before = byMetric.slice(0, i).filter((other) => other === name).length
    return before === 0 ? name : `${name} (${before + 1})`
  })
}

/** The class in which mode `i` differs most from the others of its group, if it does so by a quarter of the range. */
function classWord(
  levels: ReadonlyMap<Class, readonly number[]>,
  group: readonly number[],
  i: number,
): string | null {
  const others = group.filter((j) => j !== i)
  const [most] = [...levels]
    .map(([name, level]) => {
      const rest = others.reduce((sum, j) => sum + level[j]!, 0) / others.length // one level a mode
      return { name, difference: level[i]! - rest }
    })
    .sort((a, b) => Math.abs(b.difference) - Math.abs(a.difference))
  if (most === undefined || Math.abs(most.difference) < MEDIUM) return null
  return HIGH_LOW[most.name][most.difference > 0 ? 0 : 1]
}
