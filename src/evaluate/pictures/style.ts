/** What all pictures share: colours, sizes and the configuration of vega-lite. */
import type { TopLevelSpec } from 'vega-lite'

/**
 * Colours of everything that is not data. The page maps them to others in the dark (attribute selectors in
 * `html.ts`), so no data colour may equal one of them.
 */
export const PAPER = '#fffffe'
export const INK = '#1b1f24'
export const MUTED = '#59636e'
export const GRID = '#e2e6ea'

/** Okabe and Ito's palette, told apart by colour-blind readers; yellow darkened, so that it shows on white. */
export const BLUE = '#0072b2'
export const ORANGE = '#e69f00'
export const GREEN = '#009e73'
export const VERMILLION = '#d55e00'
export const PURPLE = '#cc79a7'
export const SKY = '#56b4e9'
export const OLIVE = '#a39400'
export const GREY = '#8a949e'

const CATEGORIES = [BLUE, ORANGE, GREEN, VERMILLION, PURPLE, SKY, OLIVE, GREY] as const
const SHAPES = ['circle', 'square', 'triangle-up', 'diamond', 'triangle-down', 'cross'] as const

/** Colour and shape of mode `i`; each time the colours begin anew the shapes move on, so that 48 modes all differ. */
export function modeMark(i: number): { colour: string; shape: string } {
  return {
    colour: CATEGORIES[i % CATEGORIES.length] ?? GREY,
    shape: SHAPES[((i % CATEGORIES.length) + Math.floor(i / CATEGORIES.length)) % SHAPES.length] ?? 'circle',
  }
}

export const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif'

/** Width of a picture that fits a phone, and of one that needs a desk, px. */
export const NARROW = 400
export const WIDE = 760

/** Grounds every picture: no frame, thin grid, text in ink. */
export const CONFIG: NonNullable<TopLevelSpec['config']> = {
  background: PAPER,
  font: FONT,
  aria: false,
  padding: 6,
  title: {
    limit: 0,
    color: INK,
    fontSize: 13,
    fontWeight: 600,
    anchor: 'start',
    subtitleColor: MUTED,
    offset: 8,
  },
  axis: {
    labelLimit: 0,
    labelColor: MUTED,
    titleColor: INK,
    labelFontSize: 11,
    titleFontSize: 12,
    titleFontWeight: 400,
    gridColor: GRID,
    domainColor: MUTED,
    tickColor: MUTED,
  },
  legend: {
    labelLimit: 0,
    labelColor: INK,
    titleColor: INK,
    labelFontSize: 11,
    titleFontSize: 12,
    titleFontWeight: 400,
  },
  header: { labelColor: INK, titleColor: INK },
  view: { stroke: GRID },
}

/** Long names are cut here: vega's own cutting takes characters for wider than they are. */
export function shorten(text: string, most: number): string {
  const characters = [...text]
  return characters.length <= most ? text : `${characters.slice(0, most - 1).join('')}…`
}

/** One layer of a layered picture. */
export type Layer = Extract<TopLevelSpec, { layer: unknown }>['layer'][number]

/** Text, twice: first as a halo of paper, so that it reads over lines. */
export function haloed(layer: { data: { values: object[] }; mark: object; encoding: object }): Layer[] {
  const { data, mark, encoding } = layer
  const text = (colours: object): Layer =>
    // `mark` and `encoding` come as literals of this folder; their full types are vega-lite's internals.
    ({ data, mark: { type: 'text', fontSize: 11, ...mark, ...colours }, encoding }) as Layer
  return [text({ color: PAPER, stroke: PAPER, strokeWidth: 4, strokeJoin: 'round' }), text({ color: INK })]
}
