/** What a retraining has changed, in a report. */
import { count, figure, percent } from './numbers.ts'
import { factList, modeLabel, paragraph, type Section, tableOf } from './page.ts'
import type { ModelView } from './training.ts'

/** A range that changed by less than this share of itself is not worth a line. */
const TOLD_CHANGE = 0.01

/** Null for a model that did not start from another one. */
export function movedSection({ bundle, modeNames }: ModelView): Section | null {
  const { moved } = bundle.manifest.training
  if (moved === undefined) return null
  const { from, windows, error, threshold, changedMode, modes, ranges } = moved
  const numeric = true
  const content = [
    paragraph(
      `This model started from model ${from}. Both were asked about ${count(windows)} windows of the new training.`,
    ),
    factList([
      { name: 'changed mode', value: `${percent(changedMode)} of the windows` },
      { name: 'squared residual', value: `${figure(error.before)} before, ${figure(error.after)} now` },
      { name: 'threshold', value: `${figure(threshold.before)} before, ${figure(threshold.after)} now` },
    ]),
    tableOf(
      [
        { title: 'mode' },
        { title: 'was mode', numeric },
        { title: 'share before', numeric },
        { title: 'share now', numeric },
        { title: 'centre moved', unit: 'spreads', numeric },
      ],
      modes.map(({ mode, was, shareBefore, shareAfter, moved: distance }) => ({
        cells: [
          modeLabel(mode, modeNames[mode] ?? ''),
          String(was),
          percent(shareBefore),
          percent(shareAfter),
          figure(distance),
        ],
      })),
    ),
  ]
  const changed = ranges.filter(({ change }) => change >= TOLD_CHANGE)
  if (changed.length > 0) {
    content.push(
      paragraph('The ranges that changed most:'),
      tableOf(
        [{ title: 'feature' }, { title: 'before', numeric }, { title: 'now', numeric }],
        changed.map(({ feature, before, after }) => ({
          cells: [feature, before.map(figure).join(' to '), after.map(figure).join(' to ')],
        })),
      ),
    )
  }
  return { id: 'moved', title: 'What moved', content }
}
