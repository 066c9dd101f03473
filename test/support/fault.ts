/** A recorded fault on the machine that the reference model knows, to be played as if it were live. */
import { planFaults } from '../../src/simulator/faults.ts'
import { writeHistory } from '../../src/simulator/history.ts'
import { placeNodes } from '../../src/simulator/layout.ts'

const HOUR_MS = 3_600_000
/** The day after those that the reference model was trained on, of the same machine. */
const FROM_MS = Date.parse('2020-03-11T00:00:00Z')
const HOURS = 12
const FAULT = { kind: 'fan_failure', fromHour: 3, toHour: 5 } as const
const SEED = 1

/** Writes half a day of two nodes, of which one loses a fan for two hours; returns its name. */
export async function writeFault(directory: string): Promise<string> {
  const nodes = placeNodes(2)
  const usual = planFaults({
    nodes,
    seed: SEED,
    fromMs: FROM_MS,
    toMs: FROM_MS + 240 * HOUR_MS,
    count: 10,
  }).find(({ kind }) => kind === FAULT.kind)
  const victim = nodes[0]?.name
  if (usual === undefined || victim === undefined) throw new Error(`no ${FAULT.kind} was planned`)
  const fault = {
    ...usual,
    nodes: [victim],
    startMs: FROM_MS + FAULT.fromHour * HOUR_MS,
    endMs: FROM_MS + FAULT.toHour * HOUR_MS,
    severity: 1,
  }
  const span = { fromMs: FROM_MS, toMs: FROM_MS + HOURS * HOUR_MS }
  await writeHistory({
    directory,
    layout: 'samples',
    nodes: nodes.length,
    seed: SEED,
    ...span,
    faults: [fault],
  })
  return victim
}
