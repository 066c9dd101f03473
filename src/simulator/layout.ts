/** How the machine's nodes are named and racked: `r205n01` is the first node of the first rack. */

export interface NodePlace {
  name: string
  /** Digits of the rack, as ExaMon's `rack` tag has them. */
  rack: string
  /** Two digits, as ExaMon's `slot` tag has them. */
  slot: string
}

/** Marconi-100's first compute rack and its nodes a rack (ExaData documentation). */
const FIRST_RACK = 205
const NODES_PER_RACK = 20

/** Names and places of the first `count` nodes. */
export function placeNodes(count: number): NodePlace[] {
  return Array.from({ length: count }, (_, i) => {
    const rack = String(FIRST_RACK + Math.floor(i / NODES_PER_RACK))
    const slot = String((i % NODES_PER_RACK) + 1).padStart(2, '0')
    return { name: `r${rack}n${slot}`, rack, slot }
  })
}
