// @ts-check
/** Changes of state gathered to lines: what went together is told together. */

/** @typedef {import('../store.ts').NodeStatus} NodeStatus */
/** @typedef {import('../../detect/records.ts').AlarmState} AlarmState */
/** @typedef {import('../../detect/records.ts').AlarmRecord} AlarmRecord */
/**
 * @typedef {{ node: string, rack: string | null, at: string, state: AlarmState, from: AlarmState | null,
 *   score: number | null, first: string }} Change
 */
/** @typedef {{ title: string, changes: Change[] }} Group one line of the list */

/** So many nodes of one rack at once are told as the rack. */
const RACK_FROM = 3
/** So many such racks at once are told as the machine. */
const MACHINE_FROM = 6

/** @param {AlarmRecord} alarm @returns {Change} */
export function changeOf({ node, rack, at, from, to, score, top }) {
  return { node, rack, at, state: to, from, score, first: mostly(top) }
}

/** The nodes in alarm, newest first. @param {Iterable<NodeStatus>} nodes @returns {Change[]} */
export function inAlarm(nodes) {
  return [...nodes]
    .filter((n) => n.state === 'anomalous')
    .sort((a, b) => (a.since < b.since ? 1 : a.since > b.since ? -1 : Number(b.score) - Number(a.score)))
    .map(({ node, rack, since, score, top }) => ({
      node,
      rack,
      at: since,
      state: 'anomalous',
      from: null,
      score,
      first: mostly(top),
    }))
}

/** @param {NodeStatus['top']} top */
function mostly([first]) {
  return first === undefined ? '' : `${first.statistic}:${first.metric}`
}

/**
 * Changes to the same state at the same time, gathered by rack, and by machine where many racks went; each group
 * stands where its first change stood.
 * @param {readonly Change[]} changes @returns {Group[]}
 */
export function rollUp(changes) {
  /** @param {readonly Change[]} list @param {(change: Change) => string} key */
  const gather = (list, key) => {
    /** @type {Map<string, Change[]>} */
    const groups = new Map()
    for (const change of list) {
      const k = key(change)
      const group = groups.get(k)
      if (group === undefined) groups.set(k, [change])
      else group.push(change)
    }
    return [...groups.values()]
  }
  return gather(changes, ({ at, state }) => `${at} ${state}`).flatMap((together) => {
    const byRack = gather(together, ({ node, rack }) => (rack === null ? `node ${node}` : `rack ${rack}`))
    const racks = byRack.filter((group) => group.length >= RACK_FROM)
    if (racks.length >= MACHINE_FROM)
      return [{ title: `${together.length} nodes of ${byRack.length} racks`, changes: together }]
    return byRack.flatMap((group) =>
      group.length >= RACK_FROM
        ? [{ title: `${group.length} nodes of rack ${group[0]?.rack}`, changes: group }]
        : group.map((change) => ({ title: change.node, changes: [change] })),
    )
  })
}
