/** Flags and alarms as Avro. A field added later needs a default, so that readers of either version read both. */
import avro from 'avsc'

const NAMESPACE = 'examon_dec'
const orNull = (type: string) => ['null', type]
const field = (name: string, type: unknown) => ({ name, type })
const nullable = (name: string, type: string) => ({ name, type: orNull(type), default: null })

const CONTRIBUTION = {
  type: 'record',
  name: 'Contribution',
  fields: [
    field('metric', 'string'),
    field('statistic', 'string'),
    nullable('observed', 'double'),
    nullable('expected', 'double'),
    field('share', 'double'),
  ],
}

/** Common to both; states are strings, so that a new one breaks no reader. */
const COMMON = {
  head: [field('kind', 'string'), field('v', 'int'), field('node', 'string'), nullable('rack', 'string')],
  judgement: [nullable('score', 'double'), nullable('p', 'double')],
  tail: [field('top', { type: 'array', items: CONTRIBUTION }), field('model', 'string')],
}

export const FLAG_AVRO = {
  type: 'record',
  name: 'Flag',
  namespace: NAMESPACE,
  fields: [
    ...COMMON.head,
    field('window_start', 'string'),
    field('window_end', 'string'),
    ...COMMON.judgement,
    field('anomalous', 'boolean'),
    field('state', 'string'),
    field('since', 'string'),
    nullable('mode', 'int'),
    nullable('q', 'double'),
    field('coverage', 'double'),
    ...COMMON.tail,
  ],
}

export const ALARM_AVRO = {
  type: 'record',
  name: 'Alarm',
  namespace: NAMESPACE,
  fields: [
    ...COMMON.head,
    field('at', 'string'),
    field('from', 'string'),
    field('to', 'string'),
    field('since', 'string'),
    ...COMMON.judgement,
    nullable('mode', 'int'),
    ...COMMON.tail,
  ],
}

/** How records of the two kinds become bytes; without the header of a registry. */
export const FLAG_TYPE = avro.Type.forSchema(FLAG_AVRO as avro.Schema)
export const ALARM_TYPE = avro.Type.forSchema(ALARM_AVRO as avro.Schema)
