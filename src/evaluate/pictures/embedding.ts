/** The code as points in the plane, coloured by mode, by label or by score, with the centres of the modes. */
import type { TopLevelSpec } from 'vega-lite'
import type { Plane, ProjectionMethod } from './projection.ts'
import type { Picture } from './render.ts'
import { GREY, INK, modeMark, NARROW, ORANGE, PAPER, SKY, shorten, VERMILLION } from './style.ts'

export interface EmbeddedWindows {
  method: ProjectionMethod
  /** Windows first, then the centres, one a mode. */
  plane: Plane
  /** Nearest mode of each window. */
  mode: Int32Array
  /** 1 anomalous, 0 normal, -1 not known; null where no window has a label. */
  label: Int8Array | null
  /** Null where scores are not at hand. */
  score: Float64Array | null
  /** Short names of the modes; one a centre. */
  modeNames: readonly string[]
}

/** One colour and shape of points. Kinds are drawn in this order, so the telling ones come last, on top. */
interface Kind {
  name: string
  colour: string
  shape: string
  size: number
}

/** `by`: what the colours tell, as text. */
export interface EmbeddingPicture extends Picture {
  by: string
}

/** One to three pictures: by mode always, by label and by score where these are known. */
export function embeddingPictures(windows: EmbeddedWindows): EmbeddingPicture[] {
  const { label, score } = windows
  return [
    byMode(windows),
    ...(label === null ? [] : [byLabel(windows, label)]),
    ...(score === null ? [] : [byScore(windows, score)]),
  ]
}

/** One entry a line: names are long. */
const MOST_CHARACTERS = 60
const LEGEND = { orient: 'bottom', columns: 1, symbolSize: 60, symbolOpacity: 1 } as const

function byMode(windows: EmbeddedWindows): EmbeddingPicture {
  const kinds = windows.modeNames.map((name, i): Kind => {
    const { colour, shape } = modeMark(i)
    return { name: shorten(`${i} ${name}`, MOST_CHARACTERS), colour, shape, size: 14 }
  })
  return scatter(windows, 'mode', 'coloured by operating mode', kinds, (i) => windows.mode[i] ?? 0)
}

const LABELS: readonly Kind[] = [
  { name: 'label unknown', colour: SKY, shape: 'circle', size: 12 },
  { name: 'labelled normal', colour: GREY, shape: 'circle', size: 12 },
  { name: 'labelled anomalous', colour: VERMILLION, shape: 'triangle-up', size: 34 },
]

function byLabel(windows: EmbeddedWindows, label: Int8Array): EmbeddingPicture {
  return scatter(windows, 'label', 'coloured by label', LABELS, (i) => (label[i] ?? -1) + 1)
}

const SCORES: readonly Kind[] = [
  { name: 'below 0.5', colour: GREY, shape: 'circle', size: 12 },
  { name: '0.5 to 1', colour: SKY, shape: 'circle', size: 18 },
  { name: '1 to 2, flagged', colour: ORANGE, shape: 'triangle-up', size: 30 },
  { name: '2 and more, flagged', colour: VERMILLION, shape: 'triangle-up', size: 38 },
]

function byScore(windows: EmbeddedWindows, score: Float64Array): EmbeddingPicture {
  return scatter(windows, 'score', 'coloured by score', SCORES, (i) => {
    const value = score[i] ?? 0
    return value < 0.5 ? 0 : value < 1 ? 1 : value < 2 ? 2 : 3
  })
}

function scatter(
  windows: EmbeddedWindows,
  file: string,
  by: string,
  kinds: readonly Kind[],
  kindOf: (i: number) => number,
): EmbeddingPicture {
  const { plane, method, modeNames } = windows
  const n = plane.x.length - modeNames.length
  const points = Array.from({ length: n }, (_, i) => ({ x: plane.x[i], y: plane.y[i], kind: kindOf(i) }))
  const used = new Set(points.map(({ kind }) => kind))
  const shown = kinds.filter((_, k) => used.has(k))
  const counts = kinds.map((_, k) => points.filter(({ kind }) => kind === k).length)
  const named = points
    .sort((a, b) => a.kind - b.kind)
    .map(({ x, y, kind }) => ({ x, y, kind: kinds[kind]?.name ?? '', size: kinds[kind]?.size ?? 0 }))
  const centres = modeNames.map((_, i) => ({ x: plane.x[n + i], y: plane.y[n + i], text: String(i) }))
  const scale = (range: (kind: Kind) => string | number) => ({
    domain: shown.map(({ name }) => name),
    range: shown.map(range),
  })
  const position = {
    x: { field: 'x', type: 'quantitative', axis: null, scale: { zero: false, nice: false, padding: 10 } },
    y: { field: 'y', type: 'quantitative', axis: null, scale: { zero: false, nice: false, padding: 10 } },
  } as const
  const spec: TopLevelSpec = {
    width: NARROW - 12,
    height: NARROW - 40,
    title: `${method} of the code, ${by}`,
    layer: [
      {
        data: { values: named },
        mark: { type: 'point', filled: true, opacity: 1, fillOpacity: 0.8, strokeWidth: 0 },
        encoding: {
          ...position,
          color: {
            field: 'kind',
            type: 'nominal',
            title: null,
            scale: scale(({ colour }) => colour),
            legend: LEGEND,
          },
          shape: { field: 'kind', type: 'nominal', title: null, scale: scale(({ shape }) => shape) },
          size: { field: 'size', type: 'quantitative', scale: null, legend: null },
        },
      },
      {
        data: { values: centres },
        mark: {
          type: 'point',
          shape: 'cross',
          filled: true,
          size: 90,
          color: INK,
          stroke: PAPER,
          strokeWidth: 1,
        },
        encoding: position,
      },
      {
        data: { values: centres },
        mark: {
          type: 'text',
          dx: 9,
          dy: -9,
          fontSize: 13,
          fontWeight: 700,
          stroke: PAPER,
          strokeWidth: 4,
          strokeJoin: 'round',
          color: PAPER,
        },
        encoding: { ...position, text: { field: 'text' } },
      },
      {
        data: { values: centres },
        mark: { type: 'text', dx: 9, dy: -9, fontSize: 13, fontWeight: 700, color: INK },
        encoding: { ...position, text: { field: 'text' } },
      },
    ],
  }
  const told = kinds.flatMap(({ name }, k) => (counts[k] === 0 ? [] : [`${name}: ${counts[k]}`]))
  return {
    name: `${method === 't-SNE' ? 'tsne' : 'umap'}-${file}`,
    title: `${method} of the code, ${by}`,
    description: `${n} windows as points, ${modeNames.length} centres as crosses; ${told.join(', ')}.`,
    spec,
    by,
  }
}
