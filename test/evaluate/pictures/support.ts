/** A strict reader of XML, enough to say that an SVG or a page's pictures are well formed: throws where they are not. */

/** Number of elements of each name. */
export function elementsOf(xml: string): Map<string, number> {
  const counts = new Map<string, number>()
  const open: string[] = []
  const tag = /<(\/?)([A-Za-z][\w:-]*)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>/y
  let at = 0
  while (at < xml.length) {
    const next = xml.indexOf('<', at)
    checkText(xml.slice(at, next === -1 ? xml.length : next))
    if (next === -1) break
    tag.lastIndex = next
    const match = tag.exec(xml)
    if (match === null) throw new Error(`not a tag: ${xml.slice(next, next + 80)}`)
    const [text, closing, name = '', attributes = '', single] = match
    checkText(attributes)
    if (closing === '/') {
      const last = open.pop()
      if (last !== name) throw new Error(`</${name}> closes <${last}>`)
    } else {
      counts.set(name, (counts.get(name) ?? 0) + 1)
      if (single !== '/') open.push(name)
    }
    at = next + text.length
  }
  if (open.length > 0) throw new Error(`<${open.join('><')}> not closed`)
  return counts
}

function checkText(text: string): void {
  const rest = text.replaceAll(/&(?:amp|lt|gt|quot|apos|#\d+|#x[\da-f]+);/g, '')
  if (/[&]|[^\P{Cc}\t\n\r]/u.test(rest)) throw new Error(`not escaped: ${text.slice(0, 80)}`)
}
