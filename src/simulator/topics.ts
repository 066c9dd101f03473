import type { MachineNode } from './machine.ts'
import type { Sensor } from './sensors.ts'

/**
 * MQTT topics under which ExaMon's plugins publish (ExaMon data model; `ipmi_pub.py`, ganglia and nagios pages of
 * the M100 ExaData documentation, CC-BY): tag pairs, then the metric's name.
 */
const SITE = 'org/cineca/cluster/marconi100'

/** Units as `ipmi_pub` reads them off the baseboard and puts them into topics. */
const IPMI_UNITS: Readonly<Record<string, string>> = { degC: 'degreesC', W: 'Watts', V: 'Volts', A: 'Amps' }

/** gmond's groups, by the beginning of the metric's name. */
const GANGLIA_GROUPS: readonly (readonly [prefix: string, group: string])[] = [
  ['boottime', 'core'],
  ['gexec', 'core'],
  ['machine', 'core'],
  ['os_', 'core'],
  ['cpu', 'cpu'],
  ['load', 'load'],
  ['mem', 'memory'],
  ['swap', 'memory'],
  ['bytes', 'network'],
  ['pkts', 'network'],
  ['disk', 'disk'],
  ['part', 'disk'],
  ['proc', 'process'],
]

export function sensorTopic(node: MachineNode, sensor: Sensor): string {
  if (sensor.plugin === 'ganglia_pub') return gangliaTopic(node, sensor.name)
  return `${place(node)}/plugin/ipmi_pub/chnl/data/units/${IPMI_UNITS[sensor.unit] ?? sensor.unit}/${sensor.name}`
}

export function gangliaTopic(node: MachineNode, name: string): string {
  const group = GANGLIA_GROUPS.find(([prefix]) => name.startsWith(prefix))?.[1] ?? 'core'
  return `${SITE}/node/${node.name}/plugin/ganglia_pub/chnl/data/gcluster/marconi100/group/${group}/${name}`
}

/** The scheduler's health check of a node; `nagiosdrained` is 1 while the node is out of service on purpose. */
export function checkTopic(node: MachineNode, drained: boolean): string {
  return (
    `${SITE}/node/${node.name}/rack/${node.rack}/slot/${node.slot}/plugin/nagios_pub/chnl/data` +
    `/description/batchs::client::state/host_group/compute/nagiosdrained/${drained ? 1 : 0}/state_type/1/state`
  )
}

function place(node: MachineNode): string {
  return `${SITE}/node/${node.name}/rack/${node.rack}/chassis/NA/slot/${node.slot}`
}
