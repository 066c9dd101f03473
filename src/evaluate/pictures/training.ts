/** The training part of a report: what a bundle tells of how it was made. */
import { findPlateau } from '../../bootstrap/plateau.ts'
import type { Progress } from '../../bootstrap/progress.ts'
import type { Bundle } from '../../model/bundle.ts'
import type { Guard } from '../../model/manifest.ts'
import { createRandom } from '../../model/random.ts'
import { type EmbeddedWindows, embeddingPictures } from './embedding.ts'
import { clusteringPicture, pretrainPicture } from './losses.ts'
import { type ModeTable, modeTable } from './modes.ts'
import { count, figure, moment, percent } from './numbers.ts'
import {
  checks,
  type Fact,
  factList,
  figureOf,
  gallery,
  type Html,
  modeLabel,
  nowrap,
  paragraph,
  type Section,
  tableOf,
} from './page.ts'
import { LEAST_POINTS, type ProjectionMethod, project, sampleByKind } from './projection.ts'
import { type ReferenceScores, scoreReference } from './reference-windows.ts'
import { type Picture, renderSvg } from './render.ts'

/** A picture, drawn. */
export interface Drawn {
  name: string
  svg: string
}

/** What pictures are made with. */
export interface Drawing {
  progress: Progress
  signal?: AbortSignal | undefined
  /** Takes every picture once it is drawn. */
  keep(drawn: Drawn): void
}

/** Draws, keeps and captions. */
export async function draw(drawing: Drawing, picture: Picture, caption: string, wide = false): Promise<Html> {
  const svg = await renderSvg(picture)
  drawing.keep({ name: picture.name, svg })
  return figureOf(svg, caption, wide)
}

/** What the bundle keeps of its windows, scored once for all sections. */
export interface ModelView {
  bundle: Bundle
  reference: ReferenceScores
  modes: ModeTable | null
  /** Short names of the modes, also where there is no table. */
  modeNames: string[]
}

export async function viewModel(bundle: Bundle, signal?: AbortSignal): Promise<ModelView> {
  const reference = await scoreReference(bundle, signal)
  const modes = modeTable(bundle.manifest, reference)
  const modeNames = bundle.manifest.modes.map((_, i) => modes?.modes[i]?.name ?? '')
  return { bundle, reference, modes, modeNames }
}

/** Windows drawn into a projection: an exact t-SNE of 1,000 takes 3 s. */
export const PROJECTED_WINDOWS = 1000

const METHODS: readonly ProjectionMethod[] = ['t-SNE', 'UMAP']

const METHOD_CAPTION: Readonly<Record<ProjectionMethod, string>> = {
  't-SNE':
    'Windows that are near in the code are near here; distances between far groups and sizes of groups mean nothing.',
  UMAP: 'A second view by another method: what both show is in the data, what one shows may be of its making.',
}

/** Projections of windows with the centres among them; a sentence where there are too few windows. */
export async function embeddingFigures(
  drawing: Drawing,
  view: ModelView,
  windows: {
    code: Float32Array
    mode: Int32Array
    label: Int8Array | null
    score: Float64Array | null
    /** What strata to draw from, one value a window. */
    kinds: ArrayLike<number>
  },
): Promise<Html[]> {
  const { centres, codeSize } = view.reference
  const seed = view.bundle.manifest.training.seed
  const rows = sampleByKind(windows.kinds, PROJECTED_WINDOWS, createRandom(seed))
  if (rows.length < LEAST_POINTS) {
    return [paragraph(`${rows.length} windows are too few for a projection; ${LEAST_POINTS} are needed.`)]
  }
  const points = new Float32Array((rows.length + view.modeNames.length) * codeSize)
  rows.forEach((row, i) => {
    points.set(windows.code.subarray(row * codeSize, (row + 1) * codeSize), i * codeSize)
  })
  points.set(centres, rows.length * codeSize)
  const pick = <T extends Int8Array | Float64Array>(values: T | null): T | null =>
    values === null ? null : (values.filter((_, i) => chosen.has(i)) as T)
  const chosen = new Set(rows)
  const figures: Html[] = []
  for (const method of METHODS) {
    const step = drawing.progress.step(`project by ${method}`)
    const plane = await project(points, codeSize, method, {
      seed,
      onStep: (done, total) => step.advance(done, `of ${total} steps`),
      signal: drawing.signal,
    })
    const embedded: EmbeddedWindows = {
      method,
      plane,
      mode: windows.mode.filter((_, i) => chosen.has(i)),
      label: pick(windows.label),
      score: pick(windows.score),
      modeNames: view.modeNames,
    }
    for (const [i, picture] of embeddingPictures(embedded).entries()) {
      figures.push(
        await draw(drawing, picture, i === 0 ? METHOD_CAPTION[method] : `The same points, ${picture.by}.`),
      )
    }
    step.finish(`${rows.length} windows`)
  }
  const total = windows.mode.length
  const drawnText =
    rows.length === total
      ? `All ${count(total)} windows`
      : `${count(rows.length)} of ${count(total)} windows, drawn from every kind,`
  return [
    paragraph(
      `${drawnText} are laid out in the plane by the code (${codeSize} numbers a window). Numbered crosses are the centres of the modes. The axes have no unit.`,
    ),
    gallery(figures),
  ]
}

/** How training went: losses, guards. */
export async function trainingSection(drawing: Drawing, { bundle, reference }: ModelView): Promise<Section> {
  const { training, guards, network } = bundle.manifest
  const components = network.widths[network.codeLayer] ?? reference.codeSize
  const options = training.options as { cluster?: { tolerance?: unknown } }
  const tolerance = typeof options.cluster?.tolerance === 'number' ? options.cluster.tolerance : 0
  const meanPredictor = training.baselineErrors?.meanPredictor
  const plateau = meanPredictor === undefined ? null : findPlateau(training.pretrainLoss, meanPredictor)
  const pretrain = pretrainPicture({
    losses: training.pretrainLoss,
    baselines: training.baselineErrors === undefined ? null : { ...training.baselineErrors, components },
    plateau,
  })
  const clustering = clusteringPicture({ updates: training.updates, tolerance })
  const figures = [
    ...(pretrain === null
      ? []
      : [
          await draw(
            drawing,
            pretrain,
            'Error of the reconstruction after each pass over the training windows. It must fall below the mean predictor, or nothing was learned; a shaded plateau is where it stood there.',
          ),
        ]),
    ...(clustering === null
      ? []
      : [
          await draw(
            drawing,
            clustering,
            'Top: how far the assignments are from their sharpened target. Middle: what clustering costs in reconstruction. Bottom: share of windows that changed their mode since the last update; training stops below the tolerance.',
          ),
        ]),
  ]
  return {
    id: 'training',
    title: 'Training',
    content: [
      checks(guards.map(guardCheck)),
      gallery(figures),
      ...(pretrain === null ? [paragraph('The autoencoder was not pretrained: it has no curve.')] : []),
      ...(clustering === null ? [paragraph('DEC stopped before a second update: it has no curve.')] : []),
    ],
  }
}

function guardCheck({ result, message }: Guard): { outcome: 'passed' | 'warning'; text: string } {
  return { outcome: result, text: message }
}

/** What each mode is. `seen`: windows of each mode in the evaluated history, or null. */
export function modesSection({ modes, bundle }: ModelView, seen: readonly number[] | null): Section {
  const title = 'Operating modes'
  const id = 'modes'
  if (modes === null) {
    const rows = bundle.manifest.modes.map(({ share }, i) => ({ cells: [String(i), percent(share)] }))
    return {
      id,
      title,
      content: [
        paragraph(
          'This bundle does not keep what is typical of its modes; bundles made anew with bootstrap do.',
        ),
        tableOf([{ title: 'mode' }, { title: 'share of training', numeric: true }], rows),
      ],
    }
  }
  const total = seen?.reduce((sum, n) => sum + n, 0) ?? 0
  const columns = [
    { title: 'mode' },
    { title: 'share of training', numeric: true },
    ...(seen === null ? [] : [{ title: 'of this history', numeric: true }]),
    { title: 'mostly on' },
    ...modes.telling.map((m) => ({ ...metricTitle(modes, m), numeric: true })),
  ]
  const rows = modes.modes.map(({ mode, name, share, mean, typicalNode }) => ({
    cells: [
      modeLabel(mode, name),
      percent(share),
      ...(seen === null ? [] : [percent(total === 0 ? Number.NaN : (seen[mode] ?? 0) / total)]),
      typicalNode === null ? '–' : nowrap(`${typicalNode.node} (${percent(typicalNode.share)})`),
      ...modes.telling.map((m) => figure(mean[m] ?? Number.NaN)),
    ],
  }))
  return {
    id,
    title,
    content: [
      paragraph(
        'What the windows of each mode have in common: means of the metrics that tell the modes apart best, over the windows that the bundle keeps. Names are derived from these means by rules, relative to the other modes of this model.',
      ),
      tableOf(columns, rows),
    ],
  }
}

function metricTitle({ metrics }: ModeTable, m: number): { title: string; unit: string } {
  const { name = '', unit = '' } = metrics[m] ?? {}
  return { title: name, unit: unit === 'degC' ? '°C' : unit === 'unspecified' ? '' : unit }
}

/** Which model this is and what it was trained on. */
export function modelFacts({ bundle }: ModelView): Fact[] {
  const { training, scaler, schema, network, catalogue, calibration, modes } = bundle.manifest
  const statistics = schema.statistics.join(', ')
  return [
    { name: 'model', value: bundle.version },
    {
      name: 'trained on',
      value: `${moment(training.fromMs)} to ${moment(training.toMs)} UTC, ${training.layout}`,
    },
    {
      name: 'windows',
      value: `${count(training.windows)} of ${count(scaler.nodes.length)} ${scaler.nodes.length === 1 ? 'node' : 'nodes'}, ${schema.lengthSeconds / 60} min each; left out: ${count(training.leftOut.anomalous)} labelled anomalous, ${count(training.leftOut.coverage)} thinly covered`,
    },
    {
      name: 'features',
      value: `${count(schema.metrics.length)} metrics × ${statistics} = ${count(schema.transforms.length)}${catalogue === null ? '' : `, catalogue ${catalogue.site}`}`,
    },
    { name: 'network', value: `${network.widths.join('-')}, ${modes.length} modes` },
    {
      name: 'threshold',
      value: `from ${count(calibration.windows)} ${calibration.inSample ? 'training' : 'held-out'} windows; false flags aimed at: ${figure((calibration.falseFlagRate * (7 * 86_400)) / schema.everySeconds)} a node and week`,
    },
    { name: 'preset, seed', value: `${training.preset}, ${training.seed}` },
    { name: 'fingerprint', value: training.fingerprint },
  ]
}

export function modelSection(view: ModelView): Section {
  return { id: 'model', title: 'The model', content: [factList(modelFacts(view))] }
}
