/** `r206n05`: rack 206, node 5; a domain or a sub-slot may follow (`r206n05.example.org`, `r206n05s01`). */
const RACK_AND_NODE = /^r(\d{1,4})n\d{1,4}(?:s\d{1,2})?(?:\..*)?$/

/** The rack that a node's name tells (`r206n05` → `206`), or null where the name has another form. */
export function rackOfNode(node: string): string | null {
  return RACK_AND_NODE.exec(node)?.[1] ?? null
}
