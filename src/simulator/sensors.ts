/**
 * The sensors of one Marconi-100 node. Names, units and periods are those of the M100 ExaData documentation
 * (Borghesi et al., CC-BY); the size of a sensor's steps is read off the published 15-minute snapshot and tables.
 */

export interface Sensor {
  name: string
  plugin: 'ipmi_pub' | 'ganglia_pub'
  unit: string
  /** Seconds between two samples; Ganglia's are approximate. */
  periodSeconds: number
  /** The smallest step between two values. */
  step: number
  /** True where the wire and the tables hold whole numbers only. */
  integer: boolean
}

/** Core-temperature slots of a socket; a node has 16 of them, in pairs that share a core's chiplet. */
export const CORE_SLOTS = 24
/** GPU slots as the baseboard numbers them: two beside each socket. */
export const GPU_SLOTS: readonly number[] = [0, 1, 3, 4]
export const DIMMS = 16
/** Fan trays, each with two rotors. */
export const FANS = 4

const ascii = (a: { name: string }, b: { name: string }): number =>
  a.name < b.name ? -1 : a.name > b.name ? 1 : 0

function ipmi(name: string, unit: string, step = 1, integer = true): Sensor {
  return { name, plugin: 'ipmi_pub', unit, periodSeconds: 20, step, integer }
}

function ganglia(name: string, unit: string, periodSeconds: number, step: number, integer = false): Sensor {
  return { name, plugin: 'ganglia_pub', unit, periodSeconds, step, integer }
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i)
}

const IPMI: Sensor[] = [
  ipmi('ambient', 'degC', 0.2, false),
  ipmi('pcie', 'degC', 0.3, false),
  ...range(DIMMS).map((i) => ipmi(`dimm${i}_temp`, 'degC')),
  ...range(FANS).flatMap((i) => [ipmi(`fan${i}_0`, 'RPM', 100), ipmi(`fan${i}_1`, 'RPM', 100)]),
  ipmi('fan_disk_power', 'W'),
  ...GPU_SLOTS.flatMap((i) => [
    ipmi(`gpu${i}_core_temp`, 'degC'),
    ipmi(`gpu${i}_mem_temp`, 'degC'),
    ipmi(`gv100card${i}`, 'unspecified'),
  ]),
  ...[0, 1].flatMap((socket) => [
    ...range(CORE_SLOTS).map((core) => ipmi(`p${socket}_core${core}_temp`, 'degC')),
    ipmi(`p${socket}_io_power`, 'W'),
    ipmi(`p${socket}_mem_power`, 'W'),
    ipmi(`p${socket}_power`, 'W', 2),
    ipmi(`p${socket}_vdd_temp`, 'degC'),
  ]),
  ...[0, 1].flatMap((supply) => [
    ipmi(`ps${supply}_input_power`, 'W', 10),
    ipmi(`ps${supply}_input_voltag`, 'V'),
    ipmi(`ps${supply}_output_curre`, 'A'),
    ipmi(`ps${supply}_output_volta`, 'V', 0.1, false),
  ]),
  ipmi('total_power', 'W', 20),
].sort(ascii)

/**
 * 27 of the 29 numeric host metrics, which with the 88 IPMI sensors of a node make the 115 of the report. No list of
 * the 115 is published. Left out are `disk_total` (one sample an hour would leave three of four 15-minute windows
 * incomplete, yet 48 % of the published node's are complete) and `cpu_aidle` (idle share since boot, a constant).
 */
const GANGLIA: Sensor[] = [
  ganglia('boottime', 's', 60, 1, true),
  ganglia('bytes_in', 'bytes/s', 40, 0.01),
  ganglia('bytes_out', 'bytes/s', 40, 0.01),
  ganglia('cpu_idle', '%', 90, 0.1),
  ganglia('cpu_nice', '%', 90, 0.1),
  ganglia('cpu_num', 'cpus', 60, 1, true),
  ganglia('cpu_speed', 'MHz', 60, 1, true),
  ganglia('cpu_steal', '%', 90, 1, true),
  ganglia('cpu_system', '%', 90, 0.1),
  ganglia('cpu_user', '%', 90, 0.1),
  ganglia('cpu_wio', '%', 90, 0.1),
  ganglia('disk_free', 'GB', 180, 0.001),
  ganglia('load_fifteen', '', 90, 0.01),
  ganglia('load_five', '', 90, 0.01),
  ganglia('load_one', '', 90, 0.01),
  // Memory comes in the 64 kB pages of the POWER9 kernel.
  ganglia('mem_buffers', 'kB', 40, 64, true),
  ganglia('mem_cached', 'kB', 40, 64, true),
  ganglia('mem_free', 'kB', 40, 64, true),
  ganglia('mem_shared', 'kB', 40, 64, true),
  ganglia('mem_total', 'kB', 60, 64, true),
  ganglia('part_max_used', '%', 180, 0.1),
  ganglia('pkts_in', 'pkt/s', 40, 0.01),
  ganglia('pkts_out', 'pkt/s', 40, 0.01),
  ganglia('proc_run', '', 80, 1, true),
  ganglia('proc_total', '', 80, 1, true),
  ganglia('swap_free', 'kB', 40, 64, true),
  ganglia('swap_total', 'kB', 60, 64, true),
].sort(ascii)

/** All sensors of the machine: IPMI, then Ganglia, each in ASCII order, as the report's tables order them. */
export const SENSORS: readonly Sensor[] = [...IPMI, ...GANGLIA]

/** Sensors below this index are IPMI's, the rest Ganglia's. */
export const IPMI_SENSORS = IPMI.length

const INDEX = new Map(SENSORS.map((sensor, i) => [sensor.name, i]))

/** Index of a sensor that this file lists; throws on a name that it does not. */
export function sensorIndex(name: string): number {
  const index = INDEX.get(name)
  if (index === undefined) throw new Error(`the simulated machine has no sensor "${name}"`)
  return index
}
