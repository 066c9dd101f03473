// @ts-check
/** What is shown, as it stands in the address, so that a link shows another reader the same. */

/** @typedef {{ node: string | null, view: string | null, states: Set<string>, rack: string, mode: string, find: string }} Shown */

/** @returns {Shown} */
export function readAddress() {
  const given = new URLSearchParams(location.hash.slice(1))
  const states = given.get('state')
  return {
    node: given.get('node'),
    view: given.get('view'),
    states: new Set(states === null || states === '' ? [] : states.split(',')),
    rack: given.get('rack') ?? '',
    mode: given.get('mode') ?? '',
    find: given.get('find') ?? '',
  }
}

/** @param {Shown} shown */
export function writeAddress({ node, view, states, rack, mode, find }) {
  const parts = Object.entries({
    node: node ?? '',
    view: view ?? '',
    state: [...states].join(','),
    rack,
    mode,
    find,
  }).filter(([, value]) => value !== '')
  history.replaceState(null, '', `#${new URLSearchParams(parts)}`)
}
