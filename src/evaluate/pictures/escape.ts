const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** Control characters but tab and line breaks, lone surrogates and non-characters: XML forbids them. */
const FORBIDDEN = /[^\P{Cc}\t\n\r]|\p{Cs}|[\ufffe\uffff]/gu

/** Forbidden characters become U+FFFD. */
export function cleanText(text: string): string {
  return text.replaceAll(FORBIDDEN, '\ufffd')
}

/** Text for HTML, SVG and quoted attributes alike, clean. */
export function escapeText(text: string): string {
  return cleanText(text).replaceAll(/[&<>"']/g, (c) => ENTITIES[c] ?? c)
}
