/** A vega-lite specification to SVG text, without a browser and without a canvas. */
import { parse, textMetrics, View } from 'vega'
import { compile, type TopLevelSpec } from 'vega-lite'
import { cleanText, escapeText } from './escape.ts'
import { CONFIG } from './style.ts'

/** A picture before it is drawn. */
export interface Picture {
  /** Name of its file, without `.svg`, and root of its identifiers: letters, digits and hyphens. */
  name: string
  title: string
  /** What a reader who does not see it is told. */
  description: string
  spec: TopLevelSpec
}

/**
 * Draws a picture. The SVG stands by itself: namespace, size, title and description for screen readers. Its
 * identifiers begin with the picture's name, so that several can stand in one page.
 */
export async function renderSvg(picture: Picture): Promise<string> {
  const view = new View(parse(compile({ ...picture.spec, config: CONFIG }).spec), { renderer: 'none' })
  try {
    return finish(await view.toSVG(), picture)
  } finally {
    view.finalize()
  }
}

/**
 * Without a canvas vega takes every character as .8 of the font's size, which pushes legends and labels far apart.
 * These widths are those of common sans-serif fonts, rather too wide than too narrow.
 */
textMetrics.width = (item, text) => {
  let width = 0
  for (const c of String(text ?? item.text ?? '')) {
    width += NARROW.test(c) ? 0.36 : BROAD.test(c) ? 0.86 : UPPER.test(c) ? 0.7 : 0.6
  }
  return Math.ceil(width * (item.fontSize ?? 11))
}
const NARROW = /[ijlftrI.,:;|!'()[\] ]/
const BROAD = /[mwMW%@—]/
const UPPER = /[A-Z_+=<>]/

/** Coordinates keep this many decimals: a twentieth of a pixel is not seen, and a picture gets half as long. */
const DECIMALS = 2

function finish(svg: string, { name, title, description }: Picture): string {
  const head = `<svg role="img" aria-label="${escapeText(`${title}. ${description}`)}" `
  // Vega escapes what it writes, but keeps control characters.
  return cleanText(svg)
    .replace(/^<svg /, head)
    .replace(/^(<svg [^>]*>)/, `$1<title>${escapeText(title)}</title>`)
    .replaceAll(/ (?:aria-roledescription|aria-hidden|pointer-events)="[^"]*"/g, '')
    .replaceAll(/ role="graphics-[a-z]+"/g, '')
    .replaceAll(/ id="([^"]+)"/g, ` id="${name}-$1"`)
    .replaceAll(/url\(#([^)]+)\)/g, `url(#${name}-$1)`)
    .replaceAll(/ (d|transform|x|y|x1|x2|y1|y2|width|height)="([^"]*)"/g, (_, key: string, value: string) => {
      const short = value.replaceAll(/-?\d+\.\d+(?:e-?\d+)?/g, (n) =>
        String(Number(Number(n).toFixed(DECIMALS))),
      )
      return ` ${key}="${short}"`
    })
}
