/** Reports as files: the training part beside a bundle, and the whole evaluation. */
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Progress } from '../../bootstrap/progress.ts'
import { type Bundle, openBundle } from '../../model/bundle.ts'
import type { EvaluationDetail } from '../detail.ts'
import type { Evaluation } from '../evaluate.ts'
import { codeSection, detectionSections, detectorsSection, modeCounts, summarySection } from './evaluation.ts'
import { movedSection } from './moved.ts'
import { moment } from './numbers.ts'
import { renderPage, type Section } from './page.ts'
import {
  type Drawing,
  type Drawn,
  embeddingFigures,
  modelSection,
  modesSection,
  trainingSection,
  viewModel,
} from './training.ts'

/** Names within a bundle's folder; the manifest does not list them, so a bundle is whole with or without them. */
const REPORT = 'report.html'
const PICTURES = 'pictures'

/**
 * Writes `report.html` and `pictures/*.svg` into the folder of a bundle, replacing older ones. Returns the path of
 * the page.
 */
export async function writeTrainingReport(
  path: string,
  options: { progress: Progress; signal?: AbortSignal | undefined; now?: number },
): Promise<string> {
  const bundle = openBundle(path)
  const drawn: Drawn[] = []
  const drawing: Drawing = { ...options, keep: (picture) => drawn.push(picture) }
  const view = await viewModel(bundle, options.signal)
  const { reference } = view
  const moved = movedSection(view)
  const sections: Section[] = [
    modelSection(view),
    await trainingSection(drawing, view),
    ...(moved === null ? [] : [moved]),
    modesSection(view, null),
    {
      id: 'code',
      title: 'The code',
      content: await embeddingFigures(drawing, view, {
        code: reference.code,
        mode: reference.mode,
        label: null,
        score: null,
        kinds: reference.mode,
      }),
    },
  ]
  const page = renderPage({
    title: `Training of model ${bundle.version}`,
    subtitle: `examon-dec, ${moment(options.now ?? Date.now())} UTC`,
    sections,
    footer: 'Written by examon-dec bootstrap. Pictures are of the windows that the bundle keeps.',
  })
  writePictures(join(path, PICTURES), drawn)
  const file = join(path, REPORT)
  writeWhole(file, page)
  return file
}

/**
 * Writes the page of an evaluation, and with `pictures` every picture as an SVG file in that folder.
 */
export async function writeEvaluationReport(
  bundle: Bundle,
  { evaluation, detail }: { evaluation: Evaluation; detail: EvaluationDetail },
  options: {
    report?: string | undefined
    pictures?: string | undefined
    progress: Progress
    signal?: AbortSignal | undefined
    now?: number
  },
): Promise<void> {
  const drawn: Drawn[] = []
  const drawing: Drawing = { ...options, keep: (picture) => drawn.push(picture) }
  const view = await viewModel(bundle, options.signal)
  const { schema, modes } = bundle.manifest
  const sections: Section[] = [
    summarySection(evaluation, detail),
    ...(await detectionSections(drawing, evaluation, detail, schema.everySeconds)),
    detectorsSection(evaluation),
    await codeSection(drawing, view, detail),
    modesSection(view, modeCounts(detail, modes.length)),
    await trainingSection(drawing, view),
    modelSection(view),
  ]
  if (options.report !== undefined) {
    const page = renderPage({
      title: `Evaluation of model ${bundle.version}`,
      subtitle: `examon-dec, ${moment(options.now ?? Date.now())} UTC`,
      sections,
      footer: 'Written by examon-dec evaluate.',
    })
    writeWhole(options.report, page)
  }
  if (options.pictures !== undefined) writePictures(options.pictures, drawn)
}

/** Every picture as NAME.svg; the folder is made where it is missing. */
export function writePictures(directory: string, drawn: readonly Drawn[]): void {
  mkdirSync(directory, { recursive: true })
  for (const { name, svg } of drawn) writeWhole(join(directory, `${name}.svg`), `${svg}\n`)
}

/** Beside and renamed: a reader never sees half a file. */
export function writeWhole(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true })
  const staging = `${file}.tmp-${process.pid}`
  try {
    writeFileSync(staging, text)
    renameSync(staging, file)
  } finally {
    rmSync(staging, { force: true })
  }
}
